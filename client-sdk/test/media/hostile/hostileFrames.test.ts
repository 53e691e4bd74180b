import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { report, runsOr, seed } from '../../../../core/test/campaign.ts'
import { attack } from './attack.ts'
import { codecSamples } from './codecSamples.ts'
import {
  blindToClearBytes,
  type Endpoints,
  type MakeEndpoints,
  realEndpoints,
  withoutReplayWindow,
} from './endpoints.ts'

const samples = codecSamples(seed, 60)
/** Damaged frames of each codec. */
const runs = runsOr(20_000)
/** What a test may leave behind where it keeps nothing, in bytes. */
const LEFT_BEHIND = 8 * 2 ** 20

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

function memoryUsed(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The product's endpoints with this fault planted. */
function faulty(fault: (real: Endpoints) => Partial<Endpoints>): MakeEndpoints {
  return (options) => {
    const real = realEndpoints(options)
    return { ...real, ...fault(real) }
  }
}

const named = samples.map((codec) => [codec.mimeType, codec] as const)

describe('frames that a hostile relay makes', () => {
  it.for(named)(
    'of %s are dropped under a name each, and every good frame between them opens once',
    async ([, codec], context) => {
      const before = memoryUsed()
      const { outcomes, faults } = await attack(codec, {
        make: realEndpoints,
        runs,
        seed,
      })
      const keptBytes = memoryUsed() - before
      report(context, { runs, ...outcomes, keptBytes })
      expect(faults, `seed ${seed}`).toEqual([])
      expect(keptBytes).toBeLessThan(LEFT_BEHIND)
      for (const outcome of [
        'opened',
        'waiting',
        'tampered',
        'replayed',
        'wrong-sender',
        'wrong-source',
      ]) {
        expect(outcomes[outcome], outcome).toBeGreaterThan(runs / 2_000)
      }
    },
  )

  it.for(named)('of %s are noticed to open twice without a replay window', async ([, codec]) => {
    const { faults } = await attack(codec, { make: withoutReplayWindow, runs: 1_000, seed })
    expect(faults).toContain('opened twice')
  })

  it.for(named.filter(([mimeType]) => !/opus|vp9/i.test(mimeType)))(
    'of %s are noticed to open changed where clear bytes are not authenticated',
    async ([, codec]) => {
      const { faults } = await attack(codec, { make: blindToClearBytes, runs: 20_000, seed })
      expect(faults).toContain('opened what was not sent')
    },
  )

  const opus = samples[0] as (typeof samples)[0]
  it.for<[string, string, MakeEndpoints]>([
    [
      'thrown: Error: short',
      'opening throws',
      faulty(({ open }) => ({
        open: async (frame) => {
          if (frame.length < 5) throw new Error('short')
          return await open(frame)
        },
      })),
    ],
    [
      'no name: odd',
      'an outcome has no name',
      faulty(({ open }) => ({
        open: async (frame) => (frame.length % 7 === 3 ? { name: 'odd' } : await open(frame)),
      })),
    ],
    [
      'lost a good frame',
      'a good frame is dropped',
      faulty(({ open }) => ({
        open: async (frame) => {
          const outcome = await open(frame)
          return outcome.name === 'opened' && frame.length % 5 === 0
            ? { name: 'tampered' }
            : outcome
        },
      })),
    ],
    ['too many wait', 'more wait than may', faulty(() => ({ waiting: () => 121 }))],
  ])('are noticed, as "%s", where %s', async ([fault, , make]) => {
    const { faults } = await attack(opus, { make, runs: 2_000, seed })
    expect(faults).toContain(fault)
  })

  it('are noticed where they are kept', async () => {
    const kept: Uint8Array[] = []
    const make = faulty(({ open }) => ({
      open: (frame) => {
        kept.push(frame)
        return open(frame)
      },
    }))
    const before = memoryUsed()
    await attack(opus, { make, runs: 50_000, seed })
    expect(memoryUsed() - before).toBeGreaterThan(LEFT_BEHIND)
    expect(kept.length).toBeGreaterThan(50_000)
  })
})
