import { LeafNodeSource } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { foundersInOrder, foundingTurn, rankOf, turnAt } from '../../src/session/commitTurn.ts'
import { committersInOrder } from './support/committers.ts'
import { envelope, Gathering } from './support/people.ts'

const everybody = new Set(Array.from({ length: 16 }, (_, i) => i))

interface Turn {
  readonly workSince: number
  readonly epochSince?: number
  readonly members?: number
  readonly removals?: number
}

function turnOf(rank: number, turn: Turn): number {
  const { workSince, epochSince, members = 3, removals = 0 } = turn
  const group = { tree: { memberCount: members }, pendingRemovals: { size: removals } }
  return turnAt(rank, group, { workSince, epochSince })
}

describe('who commits', () => {
  it('is the same for every member', async () => {
    const { groups } = await Gathering.of(9)
    const orders = groups.map((group) => committersInOrder(group.public, everybody).join())
    expect(new Set(orders).size).toBe(1)
    expect(orders[0]?.split(',').map(Number).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('begins with those who have never sent a path', async () => {
    const gathering = await Gathering.of(4)
    await gathering.add(4)
    const { public: group } = gathering.group(0)
    const order = committersInOrder(group, everybody)
    const sent = group.tree
      .members()
      .filter(({ leafNode }) => leafNode.leafNodeSource === LeafNodeSource.commit)
      .map(({ leafIndex }) => leafIndex)
    expect(sent).toEqual([0])
    expect(order.at(-1)).toBe(0)
  })

  it('leaves out whoever is not there or is about to be removed', async () => {
    const gathering = await Gathering.of(5)
    const group = gathering.group(0)
    await group.receive(await gathering.removalOf(3))
    const order = committersInOrder(group.public, new Set([0, 2, 3, 4]))
    expect([...order].sort()).toEqual([0, 2, 4])
    expect(rankOf(3, group.public, everybody)).toBeUndefined()
    expect(rankOf(7, group.public, everybody)).toBeUndefined()
    // Whoever asks is there.
    expect(rankOf(2, group.public, new Set())).toBe(0)
  })

  it('changes with the transcript: each leaf has its turn to be the first', async () => {
    const { groupContext, tree, pendingRemovals } = (await Gathering.of(8)).group(0).public
    const firsts = Array.from({ length: 8 }, (_, i) => {
      const confirmedTranscriptHash = Uint8Array.of(1, i, 255)
      const epoch = { groupContext: { ...groupContext, confirmedTranscriptHash }, tree }
      const [first] = committersInOrder({ ...epoch, pendingRemovals }, everybody)
      return first
    })
    // The founder, who has sent a path, comes after all who have not.
    expect(firsts).toEqual([1, 1, 2, 3, 4, 5, 6, 7])
  })

  it('is next to the leaf whose removal was proposed first, whatever is proposed after it', async () => {
    const gathering = await Gathering.of(8)
    const group = gathering.group(0)
    await group.receive(await gathering.removalOf(4))
    expect(committersInOrder(group.public, everybody)).toEqual([5, 6, 7, 1, 2, 3, 0])
    await group.receive(await gathering.removalOf(3))
    expect(committersInOrder(group.public, everybody)).toEqual([5, 6, 7, 1, 2, 0])
    const other = gathering.group(1)
    await other.receive(await gathering.removalOf(3))
    expect(committersInOrder(other.public, everybody)[0]).toBe(2)
  })

  it('is hardly changed by who is there', async () => {
    const { public: group } = (await Gathering.of(9)).group(0)
    const all = committersInOrder(group, everybody)
    for (const absent of all) {
      const others = new Set([...everybody].filter((leaf) => leaf !== absent))
      expect(committersInOrder(group, others)).toEqual(all.filter((leaf) => leaf !== absent))
    }
  })

  it('is put off by a batching window, unless somebody is to be removed', () => {
    const turns = (removals: number) =>
      [0, 1, 2, 3].map((rank) => turnOf(rank, { removals, workSince: 5_000 }) - 5_000)
    expect(turns(0)).toEqual([100, 365, 895, 1_690])
    expect(turns(1)).toEqual([0, 250, 750, 1_500])
  })

  it('is spaced in a rush, the more the larger the meeting, but not where somebody is to be removed', () => {
    const rush = { workSince: 5_000, epochSince: 4_990 }
    expect(turnOf(0, { ...rush, members: 10 })).toBe(5_100)
    expect(turnOf(0, { ...rush, members: 300 })).toBe(4_990 + 900)
    expect(turnOf(1, { ...rush, members: 300 })).toBe(4_990 + 900 + 1_750)
    expect(turnOf(0, { ...rush, members: 300, removals: 1 })).toBe(5_000)
    expect(turnOf(0, { workSince: 5_000, epochSince: 3_000, members: 300 })).toBe(5_100)
  })

  it('is not changed by what a member has not confirmed yet', async () => {
    const gathering = await Gathering.of(3)
    const group = gathering.group(1)
    const before = committersInOrder(group.public, everybody)
    const pending = await group.commit({ authenticatedData: envelope(0) })
    expect(committersInOrder(group.public, everybody)).toEqual(before)
    pending.discard()
  })
})

describe('who founds the group that continues another', () => {
  it('is whoever froze it, then the others who are there, around the ring', async () => {
    const { public: group } = (await Gathering.of(5)).group(0)
    expect(foundersInOrder(group, 3, new Set([0, 1, 2, 3, 4]))).toEqual([3, 4, 0, 1, 2])
    expect(foundersInOrder(group, 3, new Set([0, 2, 4]))).toEqual([4, 0, 2])
    expect(foundersInOrder(group, 9, new Set([0, 1]))).toEqual([0, 1])
  })

  it('stands in later, the larger the meeting', () => {
    const turns = (memberCount: number) =>
      [0, 1, 2].map((rank) => foundingTurn(rank, { tree: { memberCount } }))
    expect(turns(2)).toEqual([0, 260, 780])
    expect(turns(300)).toEqual([0, 1_750, 5_250])
  })
})
