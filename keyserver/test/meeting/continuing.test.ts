import { encodeRemovalEnvelope, packEntries } from '@conclave/core/delivery'
import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { frozenMs } from '../../src/limits.ts'
import {
  continueBy,
  follow,
  freeze,
  prepareContinuation,
  proposeReInit,
  refused,
} from '../support/continuing.ts'
import { eventually } from '../support/eventually.ts'
import { meetingOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

type Three = [TestMember, TestMember, TestMember]

let clock: VirtualClock
let server: TestServer
let members: Three
let alice: TestMember
let bob: TestMember
let carol: TestMember
beforeEach(async () => {
  clock = new VirtualClock()
  server = await TestServer.start({ clock, graceMs: 10_000 })
  members = (await meetingOf(server, 'alice', 'bob', 'carol')) as Three
  ;[alice, bob, carol] = members
})

/** Everyone of a meeting is in its next group, which bob has founded. */
const allGoOn = async (): Promise<void> => {
  const offered = await freeze(members)
  await continueBy(bob)
  for (const member of [alice, carol]) await follow(member, offered, bob.groupId)
}

describe('a group that has been reinitialised', () => {
  test('is continued by any member, with everybody and another suite', async () => {
    const before = alice.groupId
    const offered = await freeze(members)
    await continueBy(bob)
    const next = bob.groupId
    for (const member of [alice, carol]) {
      expect(await member.client.notice('continued')).toEqual({ groupId: before, next })
      await follow(member, offered, next)
      expect(member.groupId).toEqual(next)
    }
    expect(members.map(({ epoch }) => epoch)).toEqual([1, 1, 1])
    expect(alice.group.groupContext.cipherSuite).toBe(3)
    const seq = await carol.commit()
    await Promise.all([alice, bob].map((member) => member.receiveUpTo(seq)))
    expect(alice.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator)
    expect(server.log.filter((line) => line.includes('"continued"'))).toHaveLength(1)
  })

  test('is continued by another when its author and its committer have vanished', async () => {
    const offered = await freeze(members)
    // Carol has proposed it, alice has committed it.
    alice.client.disconnect()
    carol.client.disconnect()
    await continueBy(bob)
    // One of them comes back: its Welcome waits.
    const { client, entered } = await TestMember.arrive(server, 'carol')
    carol.client = client
    carol.entered = entered
    const bundle = offered.get(carol)
    if (bundle === undefined) throw new Error('no offer')
    const keyPackage = carol.keyPackageOf(bundle)
    await carol.client.ask('wait', { groupId: bob.groupId, keyPackage })
    await follow(carol, offered, bob.groupId)
    expect(carol.groupId).toEqual(bob.groupId)
    await eventually('the other is removed', async () => {
      clock.advance(10_000)
      await bob.resume()
      return bob.group.public.pendingRemovals.size === 1
    })
    const [gone] = bob.group.public.pendingRemovals
    expect([bob.leafIndex, carol.leafIndex]).not.toContain(gone)
  })

  test('takes nothing any more but who is to go on', async () => {
    await freeze(members)
    const { groupId } = alice
    const frozen = refused('message-invalid', 'group-reinitialised')
    const dave = await TestMember.arrive(server, 'dave')
    const waiting = await dave.wait()
    expect(waiting).toBeDefined()
    const { upload } = await dave.prepareExternalCommit()
    expect(await dave.client.request('commit', upload)).toMatchObject(frozen)
    const { seen: after } = bob
    const entries = packEntries([{ seq: after + 1, message: upload.message }])
    const giving = { groupId, after, entries, groupInfo: upload.groupInfo }
    expect(await bob.client.request('giveBack', giving)).toMatchObject(
      refused('entries-inapplicable', 'group-reinitialised'),
    )
    await continueBy(bob)
    // Whoever waited hears of the next group, too.
    expect(await dave.client.notice('continued')).toMatchObject({ next: bob.groupId })
  })

  test('removes nobody; who is to go goes from the next', async () => {
    const offered = await freeze(members)
    const { administration } = server.keyserver
    const removed = await administration.remove('standup', { identity: 'carol' })
    expect(removed).toEqual([2])
    clock.advance(60_000)
    expect(await alice.resume()).toMatchObject({ entries: [] })
    await continueBy(bob)
    await follow(alice, offered, bob.groupId)
    const gone = await eventually('the removal', async () => {
      clock.advance(100)
      await bob.resume()
      return [...bob.group.public.proposals.values()].find(({ sender }) => sender.senderType === 2)
    })
    const roster = (await administration.meeting('standup'))?.roster
    const leaf = roster?.find(({ identity }) => identity === 'carol')?.leaf
    expect(gone.proposal).toEqual({ proposalType: 3, removed: leaf })
    expect(gone.authenticatedData).toEqual(encodeRemovalEnvelope({ reason: 'removed' }))
  })

  test('takes a goodbye that comes late, which holds in the next', async () => {
    const message = await carol.group.proposeSelfRemove()
    await freeze(members)
    const late = { groupId: carol.groupId, message }
    expect(await carol.client.request('propose', late)).toMatchObject({ ok: true })
    await continueBy(bob)
    const gone = await eventually('the removal', async () => {
      clock.advance(100)
      await bob.resume()
      return [...bob.group.public.proposals.values()].find(({ sender }) => sender.senderType === 2)
    })
    expect(gone.authenticatedData).toEqual(encodeRemovalEnvelope({ reason: 'left' }))
  })

  test('in which nobody is left ends as an empty one', async () => {
    await freeze(members)
    const watch = await TestMember.arrive(server, 'dave')
    for (const { client } of members) client.disconnect()
    await eventually('the end', async () => {
      clock.advance(1_000)
      return watch.client.notices.closed.length > 0
    })
    expect(watch.client.notices.closed).toMatchObject([{ reason: 'empty' }])
  })

  test('that nobody continues ends, and the meeting begins anew', async () => {
    await freeze(members)
    clock.advance(frozenMs - 1_000)
    await alice.resume()
    expect(alice.client.notices.closed).toEqual([])
    await eventually('the end', async () => {
      clock.advance(1_000)
      return alice.client.notices.closed.length > 0
    })
    expect(alice.client.notices.closed).toMatchObject([{ reason: 'ended' }])
  })

  test('is told of to a client of an earlier minor version as ended', async () => {
    const old = await server.connect('dave', 'standup')
    const entering = { protocol: 1, minor: 3, meetingId: 'standup' }
    expect(await old.send('enter', entering)).toMatchObject({ ok: true })
    await freeze(members)
    await continueBy(bob)
    expect(await old.notice('closed')).toEqual({ groupId: alice.groupId, reason: 'ended' })
    expect(old.notices.continued).toEqual([])
    expect(old.notices.offered).toEqual([])
    expect(await old.send('enter', entering)).toMatchObject({ ok: true, group: { epoch: 1 } })
  })
})

describe('a continuation', () => {
  test('is of a group that has been reinitialised, by a connection that speaks for a leaf', async () => {
    await proposeReInit(alice)
    const { groupId } = alice
    const bytes = new Uint8Array(9)
    const request = { groupId, groupInfo: bytes, ratchetTree: bytes, welcome: null }
    expect(await bob.client.request('continue', request)).toMatchObject(refused('reinit-unknown'))
    const dave = await TestMember.arrive(server, 'dave')
    expect(await dave.client.request('continue', request)).toMatchObject(
      refused('presence-invalid'),
    )
  })

  test('is the group that was agreed upon, by its founder, with everyone as offered', async () => {
    await freeze(members)
    const invalid = (detail: string) => refused('message-invalid', detail)
    const { upload } = await prepareContinuation(bob)
    const sends = (changes: Partial<typeof upload>, by = bob) =>
      by.client.request('continue', { ...upload, ...changes })

    const { founded: ofCarol, upload: carols } = await prepareContinuation(carol)
    expect(ofCarol.epoch).toBe(1n)
    expect(await sends({}, carol)).toMatchObject(invalid('continuation-members-differ'))
    expect(await sends({ ratchetTree: carols.ratchetTree })).toMatchObject(
      invalid('continuation-members-differ'),
    )
    expect(await sends({ groupInfo: carols.groupInfo })).toMatchObject(
      invalid('tree-hash-mismatch'),
    )
    expect(await sends({ groupInfo: new Uint8Array(9) })).toMatchObject(refused('message-invalid'))
    expect(await sends({ welcome: null })).toMatchObject(invalid('welcome-incomplete'))
    expect(await sends({ welcome: carols.welcome })).toMatchObject(invalid('welcome-incomplete'))
    expect(await sends({})).toEqual({ ok: true, durable: false })
  })

  test('of another epoch or group is refused', async () => {
    await freeze(members)
    const elsewhere = await TestMember.arrive(server, 'eve', 'retro')
    const { groupInfo, ratchetTree } = await elsewhere.prepareFounding()
    const request = { groupId: bob.groupId, groupInfo, ratchetTree, welcome: null }
    expect(await bob.client.request('continue', request)).toMatchObject(
      refused('message-invalid', 'continuation-differs'),
    )
  })

  test('is one: who comes second is told which won, and enters that by its Welcome', async () => {
    const offered = await freeze(members)
    const attempts = await Promise.all(
      [bob, carol].map(async (member) => ({ member, ...(await prepareContinuation(member)) })),
    )
    const replies = await Promise.all(
      attempts.map(async ({ member, upload, founded }) => ({
        member,
        founded,
        reply: await member.client.request('continue', upload),
      })),
    )
    const [won, lost] = replies.toSorted((a, b) => Number(b.reply.ok) - Number(a.reply.ok))
    expect(won?.reply).toEqual({ ok: true, durable: false })
    expect(lost?.reply).toMatchObject({
      ...refused('group-continued'),
      group: { groupId: won?.founded.groupId, epoch: 1, head: 0 },
    })
    won?.member.goOn(won.founded)
    await won?.member.take()
    for (const member of members) {
      if (member !== won?.member) await follow(member, offered, won?.founded.groupId as never)
    }
    const seq = await alice.commit()
    await Promise.all([bob, carol].map((member) => member.receiveUpTo(seq)))
    expect(bob.group.epochAuthenticator).toEqual(carol.group.epochAuthenticator)
  })

  test('that is sent again is answered as before, also when the next group has gone on', async () => {
    const offered = await freeze(members)
    const { upload, founded } = await prepareContinuation(bob)
    const first = await bob.client.ask('continue', upload)
    expect(await bob.client.ask('continue', upload)).toEqual(first)
    bob.goOn(founded)
    await bob.take()
    await follow(alice, offered, founded.groupId)
    await bob.receiveUpTo(await alice.commit())
    expect(await bob.client.ask('continue', upload)).toEqual(first)
    expect(server.log.filter((line) => line.includes('"continued"'))).toHaveLength(1)
    expect(bob.client.notices.continued).toHaveLength(1)
  })

  test('of somebody alone has no Welcome', async () => {
    const dora = await TestMember.found(server, 'dora', 'alone')
    await freeze([dora])
    const { upload } = await prepareContinuation(dora)
    expect(upload.welcome).toBeNull()
    expect(await dora.client.request('continue', upload)).toMatchObject({ ok: true })
  })
})

describe('the group before', () => {
  test('is named as continued by whatever asks for it, and its end is still told', async () => {
    const { groupId, seen } = alice
    await allGoOn()
    const continued = { ...refused('group-continued'), group: { groupId: bob.groupId } }
    const { client } = carol
    const resume = (after: number) => client.request('resume', { groupId, after })
    const end = await resume(seen)
    expect(end).toMatchObject(continued)
    expect(!end.ok && end.missed?.map(({ seq }) => seq)).toEqual([seen + 1, seen + 2])
    expect(await resume(1_000)).not.toHaveProperty('missed')
    expect(await client.request('groupInfo', { groupId })).toMatchObject(continued)
    const keyPackage = (await carol.keyPackage()).encoded
    expect(await client.request('wait', { groupId, keyPackage })).toMatchObject(continued)
    const unknown = { groupId: new Uint8Array(16), after: 0 }
    expect(await client.request('resume', unknown)).toMatchObject(refused('group-unknown'))
  })

  test('is known through several', async () => {
    const { groupId } = alice
    await allGoOn()
    const second = bob.groupId
    await freeze(members)
    await continueBy(carol)
    for (const past of [groupId, second]) {
      expect(await carol.client.request('resume', { groupId: past, after: 0 })).toMatchObject({
        ...refused('group-continued'),
        group: { groupId: carol.groupId },
      })
    }
  })

  test('may have gone on without a member that enters by itself', async () => {
    const offered = await freeze(members)
    alice.client.disconnect()
    await continueBy(bob)
    await follow(carol, offered, bob.groupId)
    const again = await TestMember.arrive(server, 'alice')
    expect(again.summary.groupId).toEqual(bob.groupId)
    await again.joinExternally()
    expect(again.epoch).toBe(2)
  })
})
