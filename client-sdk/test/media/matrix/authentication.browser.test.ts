import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Row, rows } from './rows.ts'
import { Stage } from './stage.ts'

/** One with layers, and one whose payloads keep their length. */
const chosen = rows.filter(
  ({ codec, layers, always }) =>
    always && (codec === 'AV1' || (codec === 'VP8' && layers !== undefined)),
)
const PATIENCE_MS = 20_000
/** The machine may be too busy to send everything. What is sent has to be authentic each time. */
const ATTEMPTS = 3

let stage: Stage

beforeAll(async () => {
  stage = await Stage.open()
}, 120_000)

afterAll(async () => {
  await stage?.close()
})

describe('a call in which frames are authenticated', () => {
  it.for(chosen)('has sound and $codec, $feature, found to be their sender’s', async (row) => {
    const well = { verdict: 'authenticated', forged: 0, listsRefused: 0, listsDropped: 0 }
    const source = row.video?.source ?? 'microphone'
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const { missing, opened, droppedAtReceiver, authenticity } = await stage.run(
        row,
        'listed',
        PATIENCE_MS,
      )
      console.info(`${row.codec}, ${row.feature}`, { opened, ...authenticity, missing })
      expect(authenticity).toMatchObject({ microphone: well, [source]: well })
      const dropped = Object.keys(droppedAtReceiver)
      expect(dropped.filter((reason) => reason !== 'empty-frame')).toEqual([])
      if (missing.length === 0) return
    }
    expect.unreachable('something of the row never came about')
  })

  it('has nothing authenticated of somebody who has the key and another leaf', async () => {
    const row = rows.find(({ codec, video }) => codec === 'VP8' && video !== undefined) as Row
    const { opened, authenticity } = await stage.run(row, 'impersonated', PATIENCE_MS)
    const refused = { verdict: 'unverified', proven: 0, forged: 0 }
    expect(opened).toBeGreaterThan(0)
    expect(authenticity).toMatchObject({ microphone: refused, camera: refused })
  })
})
