import type { ProposalContent } from '@conclave/core/wire'
import { describe, expect, test } from 'vitest'
import { maxEpochProposalBytes, maxEpochProposals, maxLeavingBytes } from '../../src/limits.ts'
import { EpochRoom } from '../../src/ordering/epochRoom.ts'
import { meetingOf, type TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

describe('the proposals of an epoch', () => {
  test('have so much room, and removals as much as they need', async () => {
    const server = await TestServer.start()
    const members = await meetingOf(server, 'alice', 'bob', 'carol', 'dave', 'erin')
    const [alice, bob, ...others] = members as [TestMember, TestMember, ...TestMember[]]
    const { keyPackage } = (await alice.keyPackage()).bundle
    const proposal = { proposalType: 1, keyPackage } as const
    const { groupId } = alice
    const propose = async (member: TestMember, nth: number) => {
      const authenticatedData = new Uint8Array(30 << 10).fill(nth)
      const message = await member.group.propose(proposal, { authenticatedData })
      const reply = await member.client.request('propose', { groupId, message })
      return { bytes: message.length, reply }
    }
    let bytes = 0
    for (const member of [bob, ...others]) {
      for (let nth = 0; nth < 16; nth++) {
        const proposed = await propose(member, nth)
        expect(proposed.reply).toMatchObject({ ok: true })
        bytes += proposed.bytes
      }
    }
    let last = await propose(alice, 0)
    for (let nth = 1; last.reply.ok; nth++) {
      bytes += last.bytes
      last = await propose(alice, nth)
    }
    expect(last.reply).toMatchObject({ code: 'rate-limited', detail: 'epoch-full' })
    expect(bytes).toBeLessThanOrEqual(maxEpochProposalBytes)
    expect(bytes + last.bytes).toBeGreaterThan(maxEpochProposalBytes)

    await bob.leaveGroup()
    const [carol] = others as [TestMember]
    const { administration } = server.keyserver
    expect(await administration.remove('standup', { leaf: carol.leafIndex })).toEqual([2])
    await alice.resume()
    const removed = new Set([bob.leafIndex, carol.leafIndex])
    expect(alice.group.public.pendingRemovals).toEqual(removed)
    await alice.commit()
    expect((await propose(alice, 0)).reply).toMatchObject({ ok: true })
  })

  const of = (proposalType: number, senderType: number, leafIndex = 0) =>
    ({ proposal: { proposalType }, sender: { senderType, leafIndex } }) as ProposalContent
  const [anAdd, selfRemove, remove] = [1, 10, 3]
  const [member, keyserver] = [1, 2]
  const after = (...proposals: readonly (readonly [ProposalContent, number])[]) =>
    proposals.reduce((room, proposal) => room.with(...proposal), EpochRoom.whole)

  test('are bounded in number and in bytes', () => {
    const small = [of(anAdd, member), 1] as const
    const many = after(...new Array<typeof small>(maxEpochProposals).fill(small))
    expect(many.suffices).toBe(true)
    expect(many.with(...small).suffices).toBe(false)
    const large = after([of(anAdd, member), maxEpochProposalBytes])
    expect(large.suffices).toBe(true)
    expect(large.with(...small).suffices).toBe(false)
  })

  test('leave room for the removal of everybody, once and of its own size', () => {
    const full = after([of(anAdd, member), maxEpochProposalBytes])
    const leaving = of(selfRemove, member, 7)
    const left = full.with(leaving, maxLeavingBytes)
    expect(left.suffices).toBe(true)
    expect(left.with(leaving, maxLeavingBytes).suffices).toBe(false)
    expect(full.with(leaving, maxLeavingBytes + 1).suffices).toBe(false)
    expect(left.with(of(selfRemove, member, 8), 200).suffices).toBe(true)
    expect(left.with(of(remove, keyserver), 200).suffices).toBe(true)
  })
})
