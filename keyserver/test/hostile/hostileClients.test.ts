import { describe, expect, it } from 'vitest'
import { report, runsOr, seed } from '../../../core/test/campaign.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'
import type { PlantedFault } from './plantedFaults.ts'
import { type Bounds, besiege } from './siege.ts'

const cases = runsOr(2_000)
const casesWithRedis = Math.ceil(cases / 10)
const mega = 2 ** 20
const bounds: Bounds = {
  patienceMs: 60_000,
  keptBytes: 64 * mega,
  rss: 1024 * mega,
  standstillMs: 20_000,
}
// A ceiling for a loaded machine with two cores, not an expectation.
const timeout = 180_000 + 100 * cases

describe('a keyserver under attack neither fails nor forgets nor tells, and a meeting beside goes on undisturbed', () => {
  it('in memory', { timeout }, async (context) => {
    const { findings, figures } = await besiege({ seed, cases }, bounds)
    report(context, figures)
    expect(findings, `seed ${seed}`).toEqual([])
    // The attack goes deep enough.
    expect(figures['commits']).toBeGreaterThan(cases / 100)
    expect(figures['kindsOfRefusal']).toBeGreaterThan(60)
  })

  it.skipIf(redisMissing)('with Redis', { timeout }, async (context) => {
    const redis = await RedisServer.start()
    try {
      const orders = { redisUrl: redis.url, seed, cases: casesWithRedis }
      const { findings, figures } = await besiege(orders, bounds)
      report(context, figures)
      expect(findings, `seed ${seed}`).toEqual([])
    } finally {
      await redis.stop()
    }
  })
})

/** Whose hundred cases come upon every planted fault; not all would. */
const plantedSeed = 20_261_125

describe('what an attack may bring about is found where', () => {
  const impatient = { ...bounds, patienceMs: 6_000 }
  it.for<[PlantedFault, string, Partial<Bounds>?]>([
    ['a refusal throws asynchronously', 'crashed'],
    ['a request is never acknowledged', 'unanswered'],
    ['a handler fails', 'error-logged'],
    ['a reply has a field too many', 'reply-undeclared'],
    [
      'each refusal keeps memory',
      'memory-kept',
      { keptBytes: 16 * mega, rss: Number.POSITIVE_INFINITY },
    ],
    ['a proposal is written into another meeting, too', 'quiet-meeting-disturbed'],
    ['meetings are never looked after', 'objects-kept'],
    ['it stands still now and then', 'stood-still', { standstillMs: 2_000 }],
    ['it logs what it is asked with', 'token-logged'],
  ])('%s', { timeout }, async ([fault, kind, stricter = {}]) => {
    const orders = { fault, seed: plantedSeed, cases: 100 }
    const { findings } = await besiege(orders, { ...impatient, ...stricter })
    expect(findings.map((finding) => finding.kind)).toContain(kind)
  })
})
