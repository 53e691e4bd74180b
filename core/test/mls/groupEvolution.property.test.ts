import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { report, runsOr, seed } from '../campaign.ts'
import { evolve } from './evolution/evolution.ts'
import { altered, labelled, reusedPaths } from './evolution/faults.ts'
import { type Met, Surprise } from './evolution/inbox.ts'
import type { Fault } from './evolution/people.ts'
import { everything, planOf, removal } from './evolution/plans.ts'
import { type Plan, plan } from './evolution/steps.ts'

/** What chance has to have led to, for the runs to show anything. */
const expectedToMeet = [
  'commit with a path',
  'commit without a path',
  'commit lost',
  'committed add',
  'committed update',
  'committed remove',
  'committed psk',
  'committed groupContextExtensions',
  'committed selfRemove',
  'committed custom',
  'joined by Welcome',
  'joined externally',
  'came back by itself',
  'removed',
  'restored',
  'crashed with a commit on the way',
  'lost a handshake',
  'kept for its epoch',
  'followed from outside',
  'received duplicate',
  'received past-epoch',
  'rejected proposal-removes-blank-leaf',
  'rejected proposal-unknown-reference',
  'reinitialised',
  'branched',
]

describe('a group that lives through anything', () => {
  it('agrees on everything or fails typed, and keeps its secrets from who left and who is new', async (context) => {
    const met: Met = new Map()
    const numRuns = runsOr(8)
    let epochs = 0n
    await fc.assert(
      fc.asyncProperty(plan, async (chosen) => {
        epochs += (await evolve(chosen, met)).newestEpoch
      }),
      // The seed repeats it; looking for something smaller would take too long.
      { seed, numRuns, endOnFailure: true },
    )
    report(context, { epochs: Number(epochs), ...Object.fromEntries(met) })
    if (numRuns >= 100) expect([...met.keys()]).toEqual(expect.arrayContaining(expectedToMeet))
  })

  it('has 64 members', async () => {
    const rounds = [
      { chatter: [5, 63], rivals: 1 },
      { ...removal, lagging: [40] },
    ]
    const world = await evolve(planOf(64, rounds))
    expect(world.members.length).toBe(63)
  })

  it('lives through all of it in a plan that is chosen for it', async () => {
    const met: Met = new Map()
    await evolve({ ...planOf(6, everything), ending: 'reinit' }, met)
    await evolve({ ...planOf(3, []), ending: 'branch' }, met)
    expect([...met.keys()]).toEqual(expect.arrayContaining(expectedToMeet))
  })

  it('does the same again for the same seed, and something else for another', async () => {
    const [chosen] = fc.sample(plan, { numRuns: 1, seed: 7 }) as [Plan]
    const small = { ...chosen, size: 5 }
    const transcript = async (lived: Plan) => (await evolve(lived)).transcript.map(toHex)
    const first = await transcript(small)
    expect(first.length).toBeGreaterThan(10)
    expect(await transcript(small)).toEqual(first)
    expect(await transcript({ ...small, seed: small.seed + 1 })).not.toEqual(first)
  })
})

describe('that is noticed', () => {
  const plain = planOf(4, [{ by: 2 }, removal, { chatter: [0, 1, 2], by: 1 }])

  it('while nothing is wrong, that nothing is', async () => {
    const { ledger } = await evolve(plain)
    expect(ledger.outsiders).toHaveLength(1)
  })

  it('when a committer uses a path secret twice, which somebody removed knows', async () => {
    const crypto = reusedPaths('p0')
    await expect(evolve(plain, new Map(), { crypto })).rejects.toEqual(
      new Surprise('p1 got into epoch 3'),
    )
  })

  it('when a member skips a commit', async () => {
    const loses: Fault['loses'] = (name, { kind, epoch }) =>
      name === 'p3' && kind === 'commit' && epoch === 2n
    await expect(evolve(plain, new Map(), { loses })).rejects.toThrow('p3 disagrees')
  })

  it('when an exporter says the same in every epoch', async () => {
    const crypto = altered(undefined, { expand: labelled('exporter', () => 1) })
    await expect(evolve(plain, new Map(), { crypto })).rejects.toEqual(
      new Surprise('epochs 0 and 1 share a secret'),
    )
  })

  it('when one member exports something else', async () => {
    const crypto = altered('p2', { expand: labelled('exported', (byte) => byte ^ 1) })
    await expect(evolve(plain, new Map(), { crypto })).rejects.toThrow('p2 disagrees')
  })

  it('when messages of all epochs have the same keys', async () => {
    const expand = labelled(
      'key',
      () => 1,
      labelled('nonce', () => 1),
    )
    await expect(
      evolve(plain, new Map(), { crypto: altered(undefined, { expand }) }),
    ).rejects.toEqual(new Surprise('p1 opened a message of a later epoch'))
  })
})
