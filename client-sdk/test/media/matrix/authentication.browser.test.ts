import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runsOr } from '../../../../core/test/campaign.ts'
import { rows } from './rows.ts'
import { Stage } from './stage.ts'

/** The campaign of the matrix takes every row with pictures; `npm test` one with layers and AV1. */
const chosen = rows.filter(({ codec, layers, video, always }) => {
  if (runsOr(0) > 0) return video !== undefined
  return always && (codec === 'AV1' || (codec === 'VP8' && layers !== undefined))
})
const PATIENCE_MS = 20_000

let stage: Stage

beforeAll(async () => {
  stage = await Stage.open()
}, 120_000)

afterAll(async () => {
  await stage?.close()
})

describe('a call in which frames are authenticated', () => {
  it.for(chosen)('has sound and $codec, $feature, found to be their sender\u2019s', async (row) => {
    const { missing, opened, droppedAtReceiver, authenticity } = await stage.run(
      row,
      'listed',
      PATIENCE_MS,
    )
    console.info(`${row.codec}, ${row.feature}`, { opened, ...authenticity })
    const well = { verdict: 'authenticated', forged: 0, listsRefused: 0, listsDropped: 0 }
    const source = row.video?.source ?? 'microphone'
    expect(authenticity).toMatchObject({ microphone: well, [source]: well })
    expect(Object.keys(droppedAtReceiver).filter((reason) => reason !== 'empty-frame')).toEqual([])
    expect(missing).toEqual([])
  })
})
