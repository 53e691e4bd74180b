import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { seed as campaignSeed, report, runsOr } from '../../../core/test/campaign.ts'
import { type ChurnOutcome, type ChurnPlan, runChurn } from '../../churn/churn.ts'
import { repository } from '../../entry/repository.mjs'
import { outputOf } from '../sourceProcess.ts'
import { leaks } from './leaks.ts'

setFlagsFromString('--expose-gc')
globalThis.gc ??= runInNewContext('gc')

/** A meeting of a few in which somebody comes and somebody leaves each second. */
const short: ChurnPlan = {
  seed: 1,
  members: 6,
  devices: 9,
  retainedBytes: 32 << 10,
  everySeconds: 1,
  fillPerSecond: 2,
  timesPerSample: 8,
  samples: 15,
  warmUp: 3,
  heapBytes: 1 << 20,
}

/**
 * A hundred members, of whom half stay and half are there for two and a half minutes each. Forty
 * samples, 45 seconds apart. Twice as much a minute takes twice the time, and a real clock always
 * half an hour. What is bounded has met its bound after the first ten: the log, of which the keyserver
 * keeps half a megabyte, after eight, and the signatures that each session remembers.
 */
const campaign: ChurnPlan = {
  seed: campaignSeed,
  members: 100,
  devices: 150,
  retainedBytes: 512 << 10,
  everySeconds: 3,
  fillPerSecond: 5,
  timesPerSample: 15,
  samples: 40,
  warmUp: 10,
  heapBytes: 2 << 20,
}

const program = join(repository, 'infra', 'churn', 'main.ts')

async function runElsewhere(plan: ChurnPlan): Promise<ChurnOutcome> {
  return JSON.parse(await outputOf(program, [JSON.stringify(plan)], ['--expose-gc']))
}

function growing({ trends }: ChurnOutcome): readonly string[] {
  return Object.entries(trends).flatMap(([name, { grows }]) => (grows ? [name] : []))
}

function figuresOf({ trends, epochs, virtualMinutes }: ChurnOutcome, joins: number) {
  const each = Object.entries(trends).flatMap(([name, { first, last }]) => [
    [`${name}, first third`, Math.round(first)],
    [`${name}, last third`, Math.round(last)],
  ])
  return { minutes: Math.round(virtualMinutes), joins, epochs, ...Object.fromEntries(each) }
}

describe('in a meeting in which people come and go', () => {
  const isCampaign = runsOr(0) > 0
  const plan = isCampaign ? campaign : short
  // A campaign has a limit of its own.
  const timeout = isCampaign ? 0 : 120_000

  it('nothing grows but the number of its epochs', { timeout }, async (context) => {
    const outcome = await runElsewhere(plan)
    expect(outcome.complaints).toEqual([])
    expect(growing(outcome)).toEqual([])
    const joins = plan.timesPerSample * plan.samples
    expect(outcome.epochs).toBeGreaterThan(joins)
    report(context, figuresOf(outcome, joins))
  })

  it.skipIf(isCampaign).each(leaks)('it is noticed that $name', async ({ figure, ...leak }) => {
    const plant = leak.plant && { name: leak.name, ...leak.plant }
    const brief = { ...plan, timesPerSample: 3, samples: 12, ...leak.plan }
    const outcome = await runChurn({ ...brief, ...(plant && { plant }) })
    expect(growing(outcome)).toContain(figure)
  })
})
