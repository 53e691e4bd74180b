import { maxEntriesPerPage } from '@conclave/core/delivery'
import { memoryStore } from '@conclave/keyserver'
import { describe, expect, test } from 'vitest'
import { meetingOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

describe('resuming', () => {
  test('a long log comes in pages, each after the last, and then as notices', async () => {
    const server = await TestServer.start({
      limits: { requestBurst: 1000, commitsPerLeaf: 1000 },
    })
    const [alice, bob] = (await meetingOf(server, 'alice', 'bob')) as [TestMember, TestMember]
    bob.client.disconnect()
    const start = bob.seen
    const count = maxEntriesPerPage + 10
    for (let i = 0; i < count; i++) await alice.commit()

    await bob.reconnect({ follow: false })
    const { groupId } = bob
    const first = await bob.client.ask('resume', { groupId, after: start })
    expect(first.entries.map(({ seq }) => seq)).toEqual(
      Array.from({ length: maxEntriesPerPage }, (_, i) => start + 1 + i),
    )
    expect(first.head).toBe(start + count)
    await bob.receive(first.entries)
    await alice.commit()
    // Not at the end yet: what comes is in the next page, not in a notice.
    const second = await bob.client.ask('resume', { groupId, after: bob.seen })
    expect(second.entries).toHaveLength(11)
    expect(bob.client.notices.entry).toEqual([])
    await bob.receive(second.entries)
    const seq = await alice.commit()
    await bob.receiveUpTo(seq)
    expect(bob.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
  })

  test('between a page and the notices after it nothing is lost and nothing comes twice', async () => {
    const server = await TestServer.start()
    const [alice, bob] = (await meetingOf(server, 'alice', 'bob')) as [TestMember, TestMember]
    const { groupId } = bob
    for (let round = 0; round < 10; round++) {
      bob.client.disconnect()
      await bob.reconnect({ follow: false })
      const after = bob.seen
      const [page, seq] = await Promise.all([
        bob.client.ask('resume', { groupId, after }),
        alice.commit(),
      ])
      await bob.receive(page.entries)
      await bob.receiveUpTo(seq)
      const seen = [...page.entries, ...bob.client.notices.entry.map(({ entry }) => entry)]
      expect(seen.map((entry) => entry.seq)).toEqual(
        Array.from({ length: seq - after }, (_, i) => after + 1 + i),
      )
    }
  })

  test.each([
    ['beyond the end', 5],
    ['far beyond it', Number.MAX_SAFE_INTEGER],
  ])('asking for entries %s is refused', async (_, after) => {
    const server = await TestServer.start()
    const alice = await TestMember.found(server, 'alice')
    const { groupId } = alice
    expect(await alice.client.request('resume', { groupId, after })).toMatchObject({
      code: 'seq-out-of-range',
    })
  })

  test('asking for entries that have been trimmed is refused, not answered with a gap', async () => {
    const store = memoryStore({ retainedBytes: 1 })
    const server = await TestServer.start({ store, limits: { commitsPerLeaf: 100 } })
    const alice = await TestMember.found(server, 'alice')
    // The 64th commit brings the second snapshot; behind the first the log may be trimmed.
    for (let i = 0; i < 65; i++) await alice.commit()
    const { groupId } = alice
    expect(await alice.client.request('resume', { groupId, after: 0 })).toMatchObject({
      code: 'seq-out-of-range',
    })
    expect(await alice.client.request('resume', { groupId, after: 32 })).toMatchObject({
      ok: true,
      head: 65,
    })
  })

  test('a keyserver that comes later takes a group up from its store', async () => {
    const store = memoryStore()
    const one = await TestServer.start({ store, limits: { commitsPerLeaf: 100 } })
    const alice = await TestMember.found(one, 'alice')
    for (let i = 0; i < 40; i++) await alice.commit()

    const limits = { commitsPerLeaf: 100 }
    const two = await TestServer.start({ store, limits, removalSigner: one.removalSigner })
    const bob = await TestMember.arrive(two, 'bob')
    expect(bob.summary).toEqual({ groupId: alice.groupId, epoch: 40, head: 40 })
    const { groupId } = alice
    const { upload } = await alice.prepareCommit()
    const { seq } = await bob.client.ask('commit', upload)
    expect(seq).toBe(41)
    expect(await bob.client.ask('resume', { groupId, after: 40 })).toMatchObject({
      entries: [{ seq: 41, message: upload.message }],
    })
  })

  test('two keyservers over one store never let an epoch end twice', async () => {
    const store = memoryStore()
    const one = await TestServer.start({ store })
    const two = await TestServer.start({ store, removalSigner: one.removalSigner })
    const alice = await TestMember.found(one, 'alice')
    const bob = await TestMember.arrive(two, 'bob')
    const bundle = await bob.wait()
    await alice.admit(1)
    const { groupId } = alice
    const again = await bob.client.ask('wait', {
      groupId,
      keyPackage: bob.keyPackageOf(bundle),
    })
    expect(again).toEqual({ ok: true, position: 0 })
    await bob.join(bundle)
    await bob.resume()

    for (let round = 0; round < 5; round++) {
      const [first, second] = [await alice.prepareCommit(), await bob.prepareCommit()]
      const replies = await Promise.all([
        alice.client.request('commit', first.upload),
        bob.client.request('commit', second.upload),
      ])
      const outcomes = replies.map((reply) => (reply.ok ? 'won' : reply.code))
      expect(outcomes.sort()).toEqual(['epoch-mismatch', 'won'])
      const [aliceReply, bobReply] = replies
      if (aliceReply.ok) alice.confirm(first.pending, aliceReply.seq)
      if (bobReply.ok) bob.confirm(second.pending, bobReply.seq)
      if (!aliceReply.ok) await alice.receive(aliceReply.missed ?? [])
      if (!bobReply.ok) await bob.receive(bobReply.missed ?? [])
      expect(alice.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator)
    }
  })
})
