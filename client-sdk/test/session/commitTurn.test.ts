import { LeafNodeSource } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { committersInOrder, turnAfterMs } from '../../src/session/commitTurn.ts'
import { envelope, Gathering } from './support/people.ts'

const everybody = new Set(Array.from({ length: 16 }, (_, i) => i))

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

  it('is hardly changed by who is there', async () => {
    const { public: group } = (await Gathering.of(9)).group(0)
    const all = committersInOrder(group, everybody)
    for (const absent of all) {
      const others = new Set([...everybody].filter((leaf) => leaf !== absent))
      expect(committersInOrder(group, others)).toEqual(all.filter((leaf) => leaf !== absent))
    }
  })

  it('is put off by a batching window, unless somebody is to be removed', () => {
    expect([0, 1, 2].map((rank) => turnAfterMs(rank, false))).toEqual([100, 350, 600])
    expect([0, 1, 2].map((rank) => turnAfterMs(rank, true))).toEqual([0, 250, 500])
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
