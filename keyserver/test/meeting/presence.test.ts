import { presenceLabel, presenceTbs } from '@conclave/core/delivery'
import { memoryStore } from '@conclave/keyserver'
import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { joiningMs, refreshMs } from '../../src/limits.ts'
import { StoreError } from '../../src/store/storeError.ts'
import { eventually } from '../support/eventually.ts'
import { removalIn } from '../support/removalWords.ts'
import { meetingOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

const graceMs = 10_000

describe('presence', () => {
  let clock: VirtualClock
  let server: TestServer
  let alice: TestMember
  let bob: TestMember
  beforeEach(async () => {
    clock = new VirtualClock()
    server = await TestServer.start({ clock, graceMs })
    const members = await meetingOf(server, 'alice', 'bob')
    ;[alice, bob] = members as [TestMember, TestMember]
  })

  const isTold = (leaves: readonly number[]) =>
    eventually(`leaves ${leaves}`, async () => {
      clock.advance(50)
      const { present } = await alice.client.ask('resume', {
        groupId: alice.groupId,
        after: alice.seen,
      })
      return (
        `${present}` === `${leaves}` &&
        `${alice.client.notices.present.at(-1)?.leaves}` === `${leaves}`
      )
    })

  test('everybody is told who is connected, whenever it changes', async () => {
    await isTold([0, 1])
    bob.client.disconnect()
    await isTold([0])
  })

  test('that somebody is gone who has said goodbye is no news', async () => {
    await isTold([0, 1])
    const removal = await bob.leaveGroup()
    await alice.receiveUpTo(removal)
    const { length: told } = alice.client.notices.present
    bob.client.disconnect()
    await eventually('bob is gone', async () => {
      clock.advance(50)
      return (await alice.resume()).present.length === 1
    })
    await alice.commit()
    clock.advance(1_000)
    await alice.resume()
    expect(alice.client.notices.present).toHaveLength(told)

    // Whoever has the leaf next, is.
    const carol = await TestMember.arrive(server, 'carol')
    const bundle = await carol.wait()
    await alice.admit(1)
    await carol.join(bundle)
    await carol.take()
    expect(carol.leafIndex).toBe(bob.leafIndex)
    await isTold([0, 1])
    expect(alice.client.notices.present).toHaveLength(told + 1)
  })

  test('who is gone for the grace period is removed by the next commit', async () => {
    bob.client.disconnect()
    await isTold([0])
    clock.advance(graceMs)
    await alice.receiveUpTo(alice.seen + 1)
    expect(alice.group.public.pendingRemovals).toEqual(new Set([1]))
    await alice.commit()
    expect(alice.group.members.map(({ leafIndex }) => leafIndex)).toEqual([0])

    clock.advance(5 * graceMs)
    expect(await alice.resume()).toMatchObject({ head: alice.seen, present: [0] })
  })

  test('who comes back within the grace period is left alone', async () => {
    bob.client.disconnect()
    await isTold([0])
    clock.advance(graceMs / 2)
    await bob.reconnect()
    await isTold([0, 1])
    clock.advance(5 * graceMs)
    expect(await alice.resume()).toMatchObject({ head: alice.seen })
    const seq = await bob.commit()
    await alice.receiveUpTo(seq)
  })

  test('who says goodbye in an epoch that is over is removed without having to say it again', async () => {
    const message = await bob.group.proposeSelfRemove()
    const { groupId } = bob
    await alice.commit()
    const goodbye = await bob.client.request('propose', { groupId, message })
    expect(goodbye).toMatchObject({ ok: true, seq: alice.seen + 1 })
    expect(await bob.client.request('propose', { groupId, message })).toEqual(goodbye)
    bob.client.disconnect()
    const { entry } = await alice.client.notice('entry', (notice) => notice.entry.seq > alice.seen)
    expect(removalIn(entry)).toMatchObject({ leaf: 1, envelope: { reason: 'left' } })
    await alice.receiveUpTo(entry.seq)
    await alice.commit()
    expect(alice.group.members.map(({ leafIndex }) => leafIndex)).toEqual([0])
  })

  test('a goodbye for an epoch that is over ends a group in which nobody else is left', async () => {
    const late = await bob.group.proposeSelfRemove()
    await alice.commit()
    await alice.leaveGroup()
    const { groupId } = bob
    expect(await bob.client.request('propose', { groupId, message: late })).toMatchObject({
      ok: false,
      code: 'epoch-mismatch',
    })
    expect(await bob.client.notice('closed')).toMatchObject({ groupId, reason: 'empty' })
  })

  test('a removal is proposed anew in every epoch, until it is done', async () => {
    bob.client.disconnect()
    await isTold([0])
    const { pending, upload } = await alice.prepareCommit()
    clock.advance(graceMs)
    await alice.client.notice('entry', ({ entry }) => entry.seq === alice.seen + 1)
    const won = await alice.client.ask('commit', upload)
    alice.confirm(pending, won.seq)

    await alice.receiveUpTo(won.seq + 1)
    expect(alice.group.public.pendingRemovals).toEqual(new Set([1]))
    await alice.commit()
    expect(alice.group.members).toHaveLength(1)
    expect(await alice.resume()).toMatchObject({ head: alice.seen })
  })

  test('who comes back too late is not proposed again, if a commit has missed it', async () => {
    bob.client.disconnect()
    await isTold([0])
    const { pending, upload } = await alice.prepareCommit()
    clock.advance(graceMs)
    await alice.client.notice('entry', ({ entry }) => entry.seq === alice.seen + 1)
    await bob.reconnect()
    await isTold([0, 1])
    const won = await alice.client.ask('commit', upload)
    alice.confirm(pending, won.seq)
    expect(await alice.resume()).toMatchObject({ head: won.seq })
    await alice.commit()
    expect(alice.group.members).toHaveLength(2)
  })

  test('who was added while its connection stands has longer to attach', async () => {
    const carol = await TestMember.arrive(server, 'carol')
    await carol.wait()
    const seq = await alice.admit(1)
    await bob.receiveUpTo(seq)
    clock.advance(joiningMs - 1)
    expect(await alice.resume()).toMatchObject({ head: seq })
    clock.advance(1)
    await alice.receiveUpTo(seq + 1)
    expect(alice.group.public.pendingRemovals).toEqual(new Set([2]))
  })

  test('who was added and goes before it attaches is absent from then on', async () => {
    const carol = await TestMember.arrive(server, 'carol')
    await carol.wait()
    const seq = await alice.admit(1)
    await bob.receiveUpTo(seq)
    const added = clock.now()
    const { length: told } = alice.client.notices.present
    carol.client.disconnect()
    await eventually('the keyserver knows', () => {
      clock.advance(50)
      return alice.client.notices.present.length > told
    })
    clock.advance(graceMs)
    await alice.receiveUpTo(seq + 1)
    expect(clock.now()).toBeLessThan(added + joiningMs)
    expect(alice.group.public.pendingRemovals).toEqual(new Set([2]))
  })

  test('who was added and waits anew is absent from the leaf it was added as', async () => {
    const carol = await TestMember.arrive(server, 'carol')
    await carol.wait()
    const seq = await alice.admit(1)
    await bob.receiveUpTo(seq)
    const added = clock.now()
    await carol.wait()
    clock.advance(graceMs)
    await alice.receiveUpTo(seq + 1)
    expect(clock.now()).toBeLessThan(added + joiningMs)
    expect(alice.group.public.pendingRemovals).toEqual(new Set([2]))
  })

  test('who was added and has attached is absent once it has gone, as ever', async () => {
    const carol = await TestMember.arrive(server, 'carol')
    const bundle = await carol.wait()
    const seq = await alice.admit(1)
    await bob.receiveUpTo(seq)
    await carol.join(bundle)
    await carol.take()
    await isTold([0, 1, 2])
    carol.client.disconnect()
    await isTold([0, 1])
    clock.advance(graceMs)
    await alice.receiveUpTo(seq + 1)
    expect(alice.group.public.pendingRemovals).toEqual(new Set([2]))
  })

  test('a leaver whose word a commit missed is removed by the next one', async () => {
    const removal = await bob.leaveGroup()
    const { pending, upload } = await alice.prepareCommit()
    const won = await alice.client.ask('commit', upload)
    alice.confirm(pending, won.seq)
    await alice.receiveUpTo(removal + 2)
    await alice.commit()
    expect(alice.group.members).toHaveLength(1)
  })

  test('with nobody there for the grace period the group is closed', async () => {
    const carol = await TestMember.arrive(server, 'carol')
    alice.client.disconnect()
    bob.client.disconnect()
    await eventually('the end', () => {
      clock.advance(graceMs)
      return carol.client.notices.closed.length > 0
    })
    expect(carol.client.notices.closed).toEqual([{ groupId: alice.groupId, reason: 'empty' }])

    const entered = await carol.client.enter('standup')
    expect(entered).toMatchObject({ ok: true, group: null })
    const founding = await carol.prepareFounding()
    expect(await carol.client.request('create', founding)).toMatchObject({ ok: true })
  })

  test('the group ends at once when all who are in it are leaving', async () => {
    const { groupId } = alice
    const carol = await TestMember.arrive(server, 'carol')
    await alice.leaveGroup()
    await bob.leaveGroup()
    await carol.client.notice('closed')
    const reply = await bob.client.request('resume', { groupId, after: 0 })
    expect(reply).toMatchObject({ code: 'not-entered' })
  })

  test('who is condemned keeps no group alive that nobody else is in', async () => {
    const carol = await TestMember.arrive(server, 'carol')
    await alice.leaveGroup()
    bob.client.disconnect()
    await eventually('the end', () => {
      clock.advance(graceMs)
      return carol.client.notices.closed.length > 0
    })
    expect(alice.client.socket.connected).toBe(true)
  })

  test('a keyserver that stops says so', async () => {
    await server.keyserver.close()
    expect(await alice.client.notice('closed')).toMatchObject({ reason: 'shutdown' })
    await eventually('the disconnection', () => !alice.client.socket.connected)
  })

  describe('attaching is refused', () => {
    const attach = async (
      leafIndex: number,
      signed: Partial<{ leaf: number; nonce: TestNonce }>,
    ) => {
      const { groupId, entered } = bob
      const content = presenceTbs(groupId, signed.leaf ?? leafIndex, signed.nonce ?? entered.nonce)
      const signature = await bob.group.sign(presenceLabel, content)
      return await bob.client.request('attach', { groupId, leafIndex, signature })
    }
    const refusal = { ok: false, code: 'presence-invalid' }

    test('to another leaf than the signer’s', async () => {
      expect(await attach(0, {})).toMatchObject(refusal)
      expect(await attach(0, { leaf: 1 })).toMatchObject(refusal)
    })

    test('to a leaf that is not there', async () => {
      expect(await attach(7, {})).toMatchObject(refusal)
      expect(await attach(0xffffffff, {})).toMatchObject(refusal)
    })

    test('with a signature for another connection', async () => {
      expect(await attach(1, { nonce: alice.entered.nonce })).toMatchObject(refusal)
      expect(await attach(1, {})).toEqual({ ok: true, head: bob.seen })
    })
  })
})

type TestNonce = TestMember['entered']['nonce']

describe('who leaves while the store cannot be reached', () => {
  test('is gone once it can, although the instance stays', async () => {
    const clock = new VirtualClock()
    const store = memoryStore()
    let unreachable = false
    const server = await TestServer.start({
      clock,
      graceMs,
      store: {
        ...store,
        shared: true,
        detach: async (...detachment) => {
          if (unreachable) throw new StoreError('store-unreachable', 'the network is down')
          return await store.detach(...detachment)
        },
      },
    })
    const [alice, bob] = (await meetingOf(server, 'alice', 'bob')) as [TestMember, TestMember]
    unreachable = true
    bob.client.disconnect()
    await eventually('the failure', () =>
      server.log.some((line) => line.includes('store-unreachable')),
    )
    unreachable = false
    clock.advance(refreshMs)
    const { groupId } = alice
    await eventually('alice alone', async () => {
      const { present } = await alice.client.ask('resume', { groupId, after: alice.seen })
      return `${present}` === '0'
    })
  })

  test('does not come back with the instance, once everybody had left it', async () => {
    const clock = new VirtualClock()
    const store = memoryStore()
    const attached: string[] = []
    const server = await TestServer.start({
      clock,
      graceMs,
      store: {
        ...store,
        shared: true,
        attach: async (key, attachment, times) => {
          attached.push(attachment.instance)
          return await store.attach(key, attachment, times)
        },
      },
    })
    const alice = await TestMember.found(server, 'alice')
    clock.advance(1)
    alice.client.disconnect()
    await eventually('nobody', () => server.keyserver.health().meetings === 0)
    await alice.reconnect()
    expect(new Set(attached).size).toBe(2)
  })
})
