import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import type { SecretCrypto, SecretSuite } from '../../src/crypto/secret/index.ts'
import { report, runsOr, seed } from '../campaign.ts'
import { evolve } from './evolution/evolution.ts'
import { type Met, Surprise } from './evolution/inbox.ts'
import { type Fault, labelOf } from './evolution/people.ts'
import { type Plan, type ProposalKind, plan, type Round } from './evolution/steps.ts'

const quiet: Round = {
  restored: [],
  chatter: [],
  proposals: [],
  way: 'member',
  by: 0,
  rivals: 0,
  inline: [],
  path: 'always',
  encrypted: false,
  lagging: [],
  loses: false,
  pause: 0,
}
const planOf = (size: number, rounds: readonly Partial<Round>[]): Plan => ({
  seed: 1,
  size,
  rounds: rounds.map((round) => ({ ...quiet, ...round })),
  ending: 'none',
})

const propose = (kind: ProposalKind, by: number, target = 0, encrypted = false) => ({
  kind,
  by,
  target,
  encrypted,
})

/** Removes leaf 1 by a commit of leaf 0, after everyone has been heard. */
const removal: Partial<Round> = {
  by: 0,
  chatter: [0, 1, 2, 3],
  proposals: [propose('remove', 2, 1)],
}

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

const everything: readonly Partial<Round>[] = [
  {
    chatter: [0, 1, 2, 3, 4, 5],
    proposals: [propose('add', 1), propose('update', 3), propose('external-psk', 4, 1, true)],
    by: 2,
    rivals: 2,
    restored: [3],
  },
  {
    chatter: [0, 1, 2, 3, 4, 5],
    proposals: [propose('custom', 1), propose('extensions', 2), propose('invalid', 0)],
    by: 1,
    lagging: [5],
  },
  { way: 'external', lagging: [5] },
  { proposals: [propose('remove', 1, 3), propose('self-remove', 2)], by: 0 },
  { way: 'resync', by: 1, pause: 61_000 },
  { inline: [{ kind: 'custom', target: 0 }], path: 'if-required', by: 1 },
  { proposals: [propose('update', 1), propose('newcomer', 0)], lagging: [4], loses: true, by: 2 },
  { proposals: [propose('custom', 1)], lagging: [4], loses: true },
  {
    proposals: ['custom', 'custom', 'custom'].map((kind, by) => propose(kind as ProposalKind, by)),
    lagging: [4],
    loses: true,
  },
  { chatter: [0, 1, 2, 3, 4] },
  { chatter: [0, 1, 2, 3, 4], lagging: [3] },
  { chatter: [0, 1, 2, 3, 4], lagging: [3] },
  { chatter: [0, 1, 2, 3, 4] },
]

describe('a group that lives through anything', () => {
  it('agrees on everything or fails typed, and keeps its secrets from who left and who is new', async (context) => {
    const met: Met = new Map()
    const numRuns = runsOr(12)
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
    expect(ledger.outsiders).toBe(1)
  })

  it('when a committer uses a path secret twice, which somebody removed knows', async () => {
    let drawn = 0
    const crypto = altered('p0', {
      random: (suite) => (length) => {
        // What its founding draws comes first; then, of each two, the path's and the leaf's.
        const reused = length === 32 && drawn++ % 2 === 0 && drawn > 2
        return reused ? new Uint8Array(32).fill(1) : suite.random(length)
      },
    })
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

type Operation = 'random' | 'expand'

/** The software of `name`, or of everyone, with one operation that works otherwise. */
function altered<K extends Operation>(
  name: string | undefined,
  change: { readonly [k in K]: (suite: SecretSuite) => SecretSuite[k] },
): NonNullable<Fault['crypto']> {
  return (of, crypto): SecretCrypto => {
    if (name !== undefined && of !== name) return crypto
    return {
      publicSuite: (id) => crypto.publicSuite(id),
      secretSuite: (id) => {
        const suite = crypto.secretSuite(id)
        if (suite === undefined) return undefined
        const changed = Object.entries(change) as [K, (suite: SecretSuite) => SecretSuite[K]][]
        const operations = changed.map(([key, make]) => [key, make(suite)])
        return { ...suite, ...Object.fromEntries(operations) }
      },
    }
  }
}

/** Expand, with what comes of one label changed byte by byte. */
function labelled(
  label: string,
  change: (byte: number) => number,
  inner: (suite: SecretSuite) => SecretSuite['expand'] = ({ expand }) => expand,
) {
  return (suite: SecretSuite): SecretSuite['expand'] => {
    const expand = inner(suite)
    return (key, info, length) => {
      const output = expand(key, info, length)
      return labelOf(info) === label ? output.map(change) : output
    }
  }
}
