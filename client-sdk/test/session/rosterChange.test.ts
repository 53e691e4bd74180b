import { toHex } from '@conclave/core/codec'
import type { CommitEffect } from '@conclave/core/mls/group'
import { type LeafIndex, SenderType } from '@conclave/core/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Participant, Roster } from '../../src/session/roster.ts'
import { type RosterChange, rosterChange } from '../../src/session/rosterChange.ts'
import { asInTree, type Intended, type Seen, type Step, Turnout } from './support/turnout.ts'

const quiet: Step = {
  kind: 'member',
  who: 0,
  goodbyes: 0,
  absent: 0,
  adds: 0,
  readded: false,
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('member', 'member', 'newcomer', 'resync'),
  who: fc.nat(7),
  goodbyes: fc.oneof(fc.constant(0), fc.nat(63)),
  absent: fc.oneof(fc.constant(0), fc.nat(63)),
  adds: fc.nat(2),
  readded: fc.boolean(),
})

function changeSeen({ before, after, group, effect }: Seen): RosterChange {
  return rosterChange(before, after, group.epoch, effect)
}

function named({ leaf, identity, deviceKey }: Participant): string {
  return `${leaf} ${identity} ${toHex(deviceKey)}`
}

/** `before` as whoever only hears the events makes `after` of it. */
function applied(before: Roster, { left, joined }: RosterChange): string[] {
  const byLeaf = new Map(before.participants.map((each) => [each.leaf, each]))
  for (const { participant } of left) {
    expect(byLeaf.get(participant.leaf)).toBe(participant)
    byLeaf.delete(participant.leaf)
  }
  for (const { participant } of joined) {
    expect(byLeaf.has(participant.leaf)).toBe(false)
    byLeaf.set(participant.leaf, participant)
  }
  return [...byLeaf.values()].sort((a, b) => a.leaf - b.leaf).map(named)
}

function expectAsIntended(
  change: RosterChange,
  seen: Seen,
  { committer, left, joined }: Intended,
): void {
  const { epoch } = seen.group
  const reasons = change.left.map(({ participant, departure }) => {
    const { askedBy, committedBy } = departure
    expect(departure.epoch).toBe(epoch)
    expect(committedBy).toBe(seen.after.at(committer))
    return [participant.leaf, departure.reason, askedBy === 'keyserver' ? askedBy : askedBy?.leaf]
  })
  expect(new Set(reasons.map(String))).toEqual(new Set(left.map(String)))
  const ways = change.joined.map(({ participant, arrival }) => {
    expect(arrival).toMatchObject({ epoch, committedBy: seen.after.at(committer) })
    return [participant.identity, arrival.way]
  })
  expect(new Set(ways.map(String))).toEqual(new Set(joined.map(String)))
}

/** What holds for what everybody is told of a commit. */
function expectLawful(change: RosterChange, seen: Seen, intended: Intended): void {
  expect(seen.after.participants).toMatchObject(asInTree(seen.group))
  expect(applied(seen.before, change)).toEqual(seen.after.participants.map(named))
  if (seen.effect !== undefined) expectAsIntended(change, seen, intended)
}

/** One of each kind. */
const script: readonly Step[] = [
  { ...quiet, adds: 3 },
  { ...quiet, goodbyes: 0b1, adds: 1 },
  { ...quiet, kind: 'resync', who: 1 },
  { ...quiet, kind: 'newcomer', goodbyes: 0b1 },
  { ...quiet, absent: 0b1, adds: 1 },
]

const plantedFaults: readonly [string, (change: RosterChange, seen: Seen) => RosterChange][] = [
  ['forgets one who left', (change) => ({ ...change, left: change.left.slice(1) })],
  ['forgets one who joined', (change) => ({ ...change, joined: change.joined.slice(1) })],
  [
    'takes a return for a departure and an arrival',
    (change, { before, after, group: { epoch } }) => {
      const { returned } = change
      const old = returned && before.at(returned.leaf)
      if (returned === undefined || old === undefined) return change
      const committedBy = returned
      const departure = { epoch, reason: 'removed', askedBy: returned, committedBy } as const
      const arrival = { epoch, way: 'external', committedBy: after.at(returned.leaf) } as const
      return {
        ...change,
        left: [{ participant: old, departure }],
        joined: [{ participant: returned, arrival }],
      }
    },
  ],
  [
    'takes who committed for who asked',
    (change) => ({
      ...change,
      left: change.left.map(({ participant, departure }) => ({
        participant,
        departure: { ...departure, askedBy: departure.committedBy },
      })),
    }),
  ],
  [
    'takes the keyserver’s removals for goodbyes',
    (change) => ({
      ...change,
      left: change.left.map(({ participant, departure }) => ({
        participant,
        departure: { ...departure, reason: 'left' },
      })),
    }),
  ],
  [
    'takes whoever came by themselves for added',
    (change) => ({
      ...change,
      joined: change.joined.map(({ participant, arrival }) => ({
        participant,
        arrival: { ...arrival, way: 'added' },
      })),
    }),
  ],
]

describe('the roster, whatever a commit does', () => {
  it('is the tree’s, and what joined and left makes the next of the one before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 7 }), async (steps) => {
        const turnout = await Turnout.open()
        for (const step of [{ ...quiet, adds: 3 }, ...steps]) {
          const { seen, intended } = await turnout.take(step)
          for (const each of seen) expectLawful(changeSeen(each), each, intended)
        }
      }),
      { numRuns: 20 },
    )
  }, 120_000)

  it.each(plantedFaults)('is checked by what finds a change that %s', async (_, plant) => {
    const turnout = await Turnout.open()
    let found = 0
    for (const step of script) {
      const { seen, intended } = await turnout.take(step)
      for (const each of seen.filter(({ effect }) => effect !== undefined)) {
        const change = changeSeen(each)
        expectLawful(change, each, intended)
        try {
          expectLawful(plant(change, each), each, intended)
        } catch {
          found += 1
        }
      }
    }
    expect(found).toBeGreaterThan(0)
  })

  it('reads the leaves of those alone who have come', async () => {
    const turnout = await Turnout.open()
    await turnout.take({ ...quiet, adds: 2 })
    const { seen } = await turnout.take({ ...quiet, who: 1, adds: 1 })
    for (const { before, after } of seen) {
      const kept = after.participants.filter((each) => before.at(each.leaf) === each)
      expect(kept.map(({ leaf }) => leaf)).toEqual([0, 1, 2])
    }
  })
})

describe('a commit', () => {
  it('by which a device takes its own leaf again has nobody join or leave', async () => {
    const turnout = await Turnout.open()
    await turnout.take({ ...quiet, adds: 2 })
    const { seen } = await turnout.take({ ...quiet, kind: 'resync', who: 1 })
    for (const each of seen) {
      const { joined, left, returned } = changeSeen(each)
      expect([joined, left]).toEqual([[], []])
      if (each.effect !== undefined) expect(returned).toBe(each.after.at(2))
    }
  })

  it('by which a device takes a leaf before its own replaces it', async () => {
    const turnout = await Turnout.open()
    await turnout.take({ ...quiet, adds: 2 })
    const { seen } = await turnout.take({ ...quiet, kind: 'resync', goodbyes: 0b01 })
    const { joined, left, returned } = changeSeen(seen[0] as Seen)
    expect(left.map(({ participant, departure }) => [participant.leaf, departure.reason])).toEqual(
      expect.arrayContaining([
        [1, 'left'],
        [2, 'replaced'],
      ]),
    )
    expect(joined).toMatchObject([{ participant: { leaf: 1 }, arrival: { way: 'external' } }])
    expect(returned).toBe(joined[0]?.participant)
    const [replaced] = left.filter(({ departure }) => departure.reason === 'replaced')
    expect(replaced?.departure.askedBy).toBe(returned)
  })

  it('that adds again who leaves by it, with the same device, has them leave and join', async () => {
    const turnout = await Turnout.open()
    await turnout.take({ ...quiet, adds: 1 })
    const { seen } = await turnout.take({ ...quiet, goodbyes: 0b1, readded: true })
    const { joined, left, returned } = changeSeen(seen[0] as Seen)
    expect(left).toMatchObject([{ participant: { leaf: 1 }, departure: { reason: 'left' } }])
    expect(joined).toMatchObject([{ participant: { leaf: 1 }, arrival: { way: 'added' } }])
    expect(returned).toBeUndefined()
  })

  it('of a removal that a participant asked for names who it was', async () => {
    const turnout = await Turnout.open()
    await turnout.take({ ...quiet, adds: 2 })
    const { seen } = await turnout.take({ ...quiet, absent: 0b1 })
    const { before, after, group, effect } = seen[0] as Seen & { effect: CommitEffect }
    // No policy lets hosts do so yet.
    const sender = { senderType: SenderType.member, leafIndex: 2 as LeafIndex } as const
    const removes = effect.proposals.removes.map((each) => ({ ...each, sender }))
    const asked = { ...effect, proposals: { ...effect.proposals, removes } }
    const { left } = rosterChange(before, after, group.epoch, asked)
    expect(left).toMatchObject([
      { participant: { leaf: 1 }, departure: { reason: 'removed', askedBy: { leaf: 2 } } },
    ])
  })
})
