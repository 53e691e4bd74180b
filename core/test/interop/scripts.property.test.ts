import { describe, expect, it, type TestContext } from 'vitest'
import { report, runsOr, seed } from '../campaign.ts'
import { Script, type Tally } from './script.ts'

const steps = 50
const isCampaign = process.env['CONCLAVE_RUNS'] !== undefined
/** Outside campaigns always the same scripts: where ts-mls fails at another is not ours to mend. */
const start = isCampaign ? seed : 9420
const suites = isCampaign ? [1, 2, 3, 4, 5, 6, 7] : [1, 2, 3]

/** In all scripts. */
const met: Tally = new Map()

async function run(suite: number, founder: 'conclave' | 'ts-mls', index: number): Promise<void> {
  const script = await Script.of(suite, founder, { seed: start + suite, index }, met)
  for (let step = 0; step < steps; step++) {
    try {
      await script.step()
    } catch (cause) {
      throw new Error(`seed ${start}, script ${index}, step ${step}`, { cause })
    }
  }
}

describe.each(suites)('in cipher suite %d', (suite) => {
  it.each([
    ['this library', 'conclave', 0],
    ['ts-mls', 'ts-mls', 1],
  ] as const)(
    'members with both libraries agree on everything in a group that %s founded',
    async (_, founder, offset) => {
      for (let i = 0; i < runsOr(1); i++) await run(suite, founder, 2 * i + offset)
    },
  )
})

it('the scripts have met all that either library can do to the other', (context: TestContext) => {
  report(context, Object.fromEntries(met))
  for (const from of ['conclave', 'ts-mls']) {
    for (const to of ['conclave', 'ts-mls']) {
      for (const way of [`Welcome from ${from} to`, `external join from ${from} by`]) {
        expect(met.get(`${way} ${to}`), `${way} ${to}`).toBeGreaterThan(0)
      }
      expect(met.get(`resync from ${from} by ${to}`), `resync ${from} ${to}`).toBeGreaterThan(0)
    }
    for (const what of [
      'commit by',
      'lost commit of',
      'late application data by',
      'removal of',
      'restart of',
    ]) {
      expect(met.get(`${what} ${from}`), `${what} ${from}`).toBeGreaterThan(0)
    }
    for (const type of ['Add', 'Update', 'Remove', 'PreSharedKey', 'GroupContextExtensions']) {
      expect(met.get(`${type} by ${from}`), `${type} by ${from}`).toBeGreaterThan(0)
    }
  }
})
