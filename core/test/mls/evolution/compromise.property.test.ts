import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { report, runsOr, seed } from '../../campaign.ts'
import { evolve } from './evolution.ts'
import { reusedPaths } from './faults.ts'
import { type Met, Surprise } from './inbox.ts'
import { planOf, propose, removal } from './plans.ts'
import { plan } from './steps.ts'

describe('who copies all that a member has', () => {
  it('learns nothing after its next path or Update, and of the past what was kept', async (context) => {
    const met: Met = new Map()
    const stolen = fc.record({ round: fc.nat(3), victim: fc.nat(255) })
    let healed = 0
    await fc.assert(
      fc.asyncProperty(plan, stolen, async (chosen, theft) => {
        const { ledger } = await evolve(chosen, met, { theft })
        expect(ledger.victims).toEqual([])
        healed++
      }),
      { seed, numRuns: runsOr(4), endOnFailure: true },
    )
    report(context, { healed, ...Object.fromEntries(met) })
  })

  it('follows until the member commits a path, and then no more', async () => {
    const theft = { round: 1, victim: 1 }
    const chatter = [0, 1, 2]
    const lived = planOf(4, [{ by: 0 }, { by: 2, chatter }, { by: 3, chatter }, { by: 1, chatter }])
    const { ledger } = await evolve(lived, new Map(), { theft })
    expect(ledger.outsiders.map(({ until }) => until)).toEqual([4n])
  })

  it.each([
    [
      'follows on where the member commits without a path',
      { by: 1, path: 'if-required', inline: [{ kind: 'custom', target: 0 }] },
      3n,
    ],
    [
      'is shut out where an Update of the member is committed',
      { by: 2, proposals: [propose('update', 1)] },
      2n,
    ],
    [
      'is shut out where the member is removed',
      { by: 2, proposals: [propose('remove', 0, 1)] },
      2n,
    ],
    ['is shut out where the member takes its own place', { way: 'resync', by: 1 }, 2n],
  ] as const)('%s', async (_, round, until) => {
    const theft = { round: 1, victim: 1 }
    const lived = planOf(4, [{ by: 0 }, round, { by: 1 }, { by: 2 }])
    const { ledger } = await evolve(lived, new Map(), { theft })
    expect(ledger.outsiders[0]).toMatchObject({ until })
  })
})

describe('that is noticed', () => {
  it('when the path of a victim is no new one', async () => {
    const lived = planOf(4, [{ by: 2 }, removal, { by: 2 }])
    const robbed = evolve(lived, new Map(), {
      theft: { round: 1, victim: 0 },
      crypto: reusedPaths('p0'),
    })
    await expect(robbed).rejects.toEqual(new Surprise('who robbed p0 got into epoch 3'))
  })

  it('when a member keeps epochs for longer than it says', async () => {
    const lived = planOf(4, [{ chatter: [0, 2, 3] }, {}, {}, {}, {}, {}, {}])
    const robbed = evolve(lived, new Map(), {
      theft: { round: 6, victim: 1 },
      environment: () => ({ retention: { pastEpochs: 9, pastEpochMs: 1e9, resumptionPsks: 3 } }),
      loses: (name, { kind }) => name === 'p1' && kind === 'application',
    })
    await expect(robbed).rejects.toThrow('who robbed p1 has senderDataSecret of 6 epochs before')
  })
})
