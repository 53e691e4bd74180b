import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { report, runsOr } from '../../../../core/test/campaign.ts'
import { failings } from './judgement.ts'
import { type Row, rows } from './rows.ts'
import { Stage } from './stage.ts'
import { figuresOf, type Result, replaceMatrix, resultTable } from './table.ts'

/** The campaign runs every row and writes the table; `npm test` runs a share of them. */
const isCampaign = runsOr(0) > 0
const chosen = isCampaign ? rows : rows.filter(({ always }) => always)

/** The machine may be too busy for a while; a rule that does not work fails each time. */
const ATTEMPTS = 3
const PATIENCE_MS = 20_000
/** For what is not going to arrive; what does takes two seconds. */
const SHORT_PATIENCE_MS = 5_000

const page = new URL('../../../../docs/media.md', import.meta.url)
const results: Result[] = []
let stage: Stage

beforeAll(async () => {
  stage = await Stage.open()
}, 120_000)

afterAll(async () => {
  await stage?.close()
  if (results.length < rows.length) return
  await writeFile(page, replaceMatrix(await readFile(page, 'utf8'), resultTable(results)))
})

/** Runs a row until it passes, but a few times at most. */
async function resultOf(row: Row): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    const control = await stage.run(row, 'clear', PATIENCE_MS)
    const encrypted = await stage.run(row, 'encrypted', PATIENCE_MS)
    const reasons = failings(row, control, encrypted)
    const result = { row, control, encrypted, reasons }
    console.info(`${row.codec}, ${row.feature}`, { ...figuresOf(result), reasons })
    if (reasons.length === 0 || attempt === ATTEMPTS) return result
  }
}

describe('a call through the SFU', () => {
  it.for(chosen)('carries $codec, $feature, with encryption as without', async (row, context) => {
    const result = await resultOf(row)
    results.push(result)
    report(context, figuresOf(result))
    expect(result.reasons).toEqual([])
  })

  it('carries no H.264 where encryption knows nothing of codecs, and is seen to fail', async () => {
    const row = rows.find(({ codec }) => codec === 'H264') as Row
    const measured = results.find((result) => result.row === row)
    const control = measured?.control ?? (await stage.run(row, 'clear', PATIENCE_MS))
    const blind = await stage.run(row, 'blind', SHORT_PATIENCE_MS)
    expect(failings(row, control, control)).toEqual(['no frame was opened'])
    expect(failings(row, control, blind)).toContain('no media that arrives in full')
    expect(blind.framesPerSecond).toBeLessThan(1)
  })
})
