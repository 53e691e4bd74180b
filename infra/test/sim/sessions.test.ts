import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { describe, expect, it, type TestContext } from 'vitest'
import { seed as campaignSeed, report, runsOr } from '../../../core/test/campaign.ts'
import { repository } from '../../entry/repository.mjs'
import { Coverage } from '../../sim/coverage.ts'
import { planOf } from '../../sim/plan.ts'
import { describeFailure } from '../../sim/report.ts'
import { shrink } from '../../sim/shrink.ts'
import { simulate } from '../../sim/simulate.ts'

/* Invariants are infra/sim/invariants; a seed that fails here is printed with what replays it. */

const members = 4
const steps = 14
const isCampaign = process.env['CONCLAVE_RUNS'] !== undefined

/** Seeds that each commit tries for the first time. */
function seedOfCommit(): number {
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repository, encoding: 'utf8' })
  return hash('sha256', commit.trim(), 'buffer').readUInt32BE() >>> 1
}

async function runSeeds(context: TestContext, first: number, count: number): Promise<void> {
  const coverage = new Coverage()
  let epochs = 0
  for (let seed = first; seed < first + count; seed++) {
    const plan = planOf(seed, members, steps)
    const outcome = await simulate(plan)
    coverage.add(outcome.coverage)
    epochs += outcome.figures['epochs'] ?? 0
    if (outcome.violation === undefined) continue
    const shrunk = await shrink(plan, outcome)
    expect.fail(describeFailure({ ...shrunk, stepCount: steps }))
  }
  const { counts, faults } = { counts: coverage.counts(), faults: coverage.faults() }
  const kinds = Object.values(faults).reduce((sum, met) => sum + Object.keys(met).length, 0)
  report(context, { runs: count, epochs, messagesAndFaults: kinds, ...counts })
}

describe('meetings under faults hold every invariant', () => {
  it.skipIf(isCampaign)('from 100 seeds', { timeout: 120_000 }, async (context) => {
    await runSeeds(context, 1, 100)
  })

  it.skipIf(isCampaign)('from 50 seeds of this commit', { timeout: 120_000 }, async (context) => {
    await runSeeds(context, seedOfCommit(), 50)
  })

  const runs = runsOr(0)
  it.runIf(isCampaign)(`from ${runs} seeds`, async (context) => {
    await runSeeds(context, campaignSeed, runs)
  })
})
