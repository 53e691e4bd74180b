import { packEntries } from '@conclave/core/delivery'
import { generateRemovalSigner, memoryStore } from '@conclave/keyserver'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { refreshMs, snapshotCommits } from '../../src/limits.ts'
import type { Store } from '../../src/store/store.ts'
import { StoreError } from '../../src/store/storeError.ts'
import {
  allOffer,
  continueBy,
  follow,
  freeze,
  type Offered,
  offerOf,
  prepareContinuation,
  proposeReInit,
} from '../support/continuing.ts'
import { eventually } from '../support/eventually.ts'
import { Failover } from '../support/failover.ts'
import { startInstance } from '../support/instances.ts'
import { RedisCluster } from '../support/redisCluster.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'
import { meetingOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

type Three = [TestMember, TestMember, TestMember]

/** Asks for the Welcome of what it has offered, as who has not been sent it. */
async function askForWelcome(member: TestMember, offered: Offered, next: Uint8Array<ArrayBuffer>) {
  const bundle = offered.get(member)
  if (bundle === undefined) throw new Error('nothing has been offered')
  const keyPackage = member.keyPackageOf(bundle)
  await member.client.ask('wait', { groupId: next, keyPackage })
  await follow(member, offered, next)
}

/** Two instances that hear nothing of each other but what is in the store. */
describe('a meeting over one store', () => {
  let clock: VirtualClock
  let lossy: { loses: keyof Store | undefined }
  let here: TestServer
  let there: TestServer
  let alice: TestMember
  let bob: TestMember
  let carol: TestMember
  beforeEach(async () => {
    clock = new VirtualClock()
    lossy = { loses: undefined }
    const store = new Proxy(
      { ...memoryStore(), shared: true },
      {
        get: (target, name: keyof Store) => {
          if (typeof target[name] !== 'function') return target[name]
          return async (...args: readonly unknown[]) => {
            const answer: unknown = await Reflect.apply(target[name] as never, target, args)
            if (lossy.loses !== name) return answer
            lossy.loses = undefined
            throw new StoreError('store-unreachable', 'the answer is lost')
          }
        },
      },
    )
    const removalSigner = await generateRemovalSigner(globalThis.crypto.subtle)
    const start = () => TestServer.start({ clock, removalSigner, store })
    here = await start()
    there = await start()
    ;[alice, bob, carol] = (await meetingOf(here, 'alice', 'bob', 'carol')) as Three
  })

  const moves = async (member: TestMember): Promise<void> => {
    const { client, entered } = await TestMember.arrive(there, member.identity)
    member.client.disconnect()
    member.client = client
    member.entered = entered
    await member.attach()
  }

  test('is continued at an instance that takes the group up when it is frozen, snapshot and all', async () => {
    const members = [alice, bob, carol]
    while (alice.epoch % snapshotCommits !== snapshotCommits - 1) await alice.commit()
    for (const member of members) await member.resume()
    const offered = await freeze(members)
    await moves(bob)
    await continueBy(bob)
    await clock.advanceAsync(refreshMs)
    for (const member of [alice, carol]) {
      await member.client.notice('continued', ({ next }) => `${next}` === `${bob.groupId}`)
      await askForWelcome(member, offered, bob.groupId)
    }
    const seq = await alice.commit()
    await bob.resume()
    expect(bob.seen).toBe(seq)
    expect(alice.client.notices.closed).toEqual([])
  })

  test('is entered anew through whichever instance, whether it has heard or not', async () => {
    const offered = await freeze([alice, bob, carol])
    await moves(bob)
    await continueBy(bob)
    // Nobody here has told this instance: what is asked of it does.
    const dave = await TestMember.arrive(here, 'dave')
    expect(dave.summary).toEqual({ groupId: bob.groupId, epoch: 1, head: 0 })
    await alice.client.notice('continued')
    await askForWelcome(alice, offered, bob.groupId)
    const { encoded: keyPackage } = await offerOf(dave)
    await dave.client.ask('wait', { groupId: bob.groupId, keyPackage })
    expect(await alice.admit(1)).toBe(1)
  })

  test('is told to have gone on to whoever names the group before', async () => {
    await freeze([alice, bob, carol])
    const { groupId, seen } = carol
    await moves(bob)
    await continueBy(bob)
    for (const after of [seen, seen - 1]) {
      expect(await carol.client.request('resume', { groupId, after })).toMatchObject({
        code: 'group-continued',
        group: { groupId: bob.groupId },
      })
    }
  })

  test('goes on where the store took the next group in and could not say so', async () => {
    const offered = await freeze([alice, bob, carol])
    const { upload, founded } = await prepareContinuation(bob)
    lossy.loses = 'continueGroup'
    expect(await bob.client.request('continue', upload)).toMatchObject({ code: 'unavailable' })
    expect(await bob.client.request('continue', upload)).toEqual({ ok: true, durable: false })
    bob.goOn(founded)
    await bob.take()
    await alice.client.notice('continued')
    await askForWelcome(alice, offered, bob.groupId)
    const seq = await alice.commit()
    await bob.receiveUpTo(seq)
  })

  test('has each offer once, and commits when those of all instances are there', async () => {
    await moves(bob)
    const seq = await proposeReInit(alice)
    for (const member of [alice, bob, carol]) await member.resume()
    expect(bob.seen).toBe(seq)
    await allOffer([alice, carol])
    const { upload } = await bob.prepareCommit()
    const commit = () => bob.client.request('commit', upload)
    expect(await commit()).toMatchObject({ code: 'reinit-unready', leaves: [bob.leafIndex] })
    await allOffer([bob])
    expect(await commit()).toMatchObject({ ok: true })
  })

  test('waits with a ReInit where another instance has been asked for a removal', async () => {
    await moves(bob)
    await proposeReInit(alice)
    for (const member of [alice, bob, carol]) await member.resume()
    await allOffer([alice, bob, carol])
    const { upload } = await bob.prepareCommit()
    const seq = await carol.leaveGroup()
    expect(await bob.client.request('commit', upload)).toMatchObject({
      code: 'epoch-mismatch',
      missed: [{ seq }],
    })
  })
})

describe('a store that fails over', () => {
  test('may have lost the ReInit with the offers: both are given back, and the meeting goes on', async () => {
    const failover = new Failover()
    const server = await TestServer.start({ store: failover.store })
    const members = (await meetingOf(server, 'alice', 'bob', 'carol')) as Three
    const [alice, bob, carol] = members
    const { groupId } = alice
    const seq = await proposeReInit(carol)
    for (const member of members) await member.receiveUpTo(seq)
    failover.replicate = false
    await allOffer(members)
    const { upload, pending } = await alice.prepareCommit()
    const { seq: committed } = await alice.client.ask('commit', upload)
    alice.confirm(pending, committed)
    for (const member of [bob, carol]) await member.receiveUpTo(committed)
    failover.happen()
    failover.replicate = true
    const entries = packEntries([{ seq: committed, message: upload.message }])
    const giving = { groupId, after: seq, entries, groupInfo: upload.groupInfo }
    expect(await bob.client.ask('giveBack', giving)).toMatchObject({ head: committed })
    expect(await bob.client.request('offers', { groupId })).toMatchObject({
      code: 'reinit-unready',
      leaves: [0, 1, 2],
    })
    const offered = await allOffer(members)
    await continueBy(bob)
    for (const member of [alice, carol]) await follow(member, offered, bob.groupId)
    await bob.receiveUpTo(await carol.commit())
  })
})

describe.skipIf(redisMissing).each([
  ['one Redis', async () => await RedisServer.start()],
  ['a cluster of three', async () => await RedisCluster.start()],
] as const)('instances behind %s', (_, startRedis) => {
  let redis: RedisServer | RedisCluster
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  test('let one of two founders win who race at two of them, and everyone goes on with that', async () => {
    const urls = 'urls' in redis ? redis.urls : [redis.url]
    const [first, second] = await Promise.all([startInstance(urls), startInstance(urls)])
    for (let round = 0; round < 3; round++) {
      const meetingId = `round ${round}`
      const alice = await TestMember.found(first, 'alice', meetingId)
      const members = [alice]
      for (const [identity, server] of [
        ['bob', second],
        ['carol', second],
      ] as const) {
        const joiner = await TestMember.arrive(server, identity, meetingId)
        const bundle = await joiner.wait()
        const seq = await alice.admit(1)
        await joiner.join(bundle)
        await joiner.take()
        for (const member of members.slice(1)) await member.receiveUpTo(seq)
        members.push(joiner)
      }
      const [, bob, carol] = members as Three
      const offered = await freeze(members)
      const attempts = await Promise.all(
        [alice, bob].map(async (member) => ({ member, ...(await prepareContinuation(member)) })),
      )
      const outcomes = await Promise.all(
        attempts.map(async ({ member, founded, upload }) => {
          const reply = await member.client.request('continue', upload)
          return { member, founded, upload, reply }
        }),
      )
      const [won, ...more] = outcomes.filter(({ reply }) => reply.ok)
      if (won === undefined) throw new Error('nobody won')
      expect(more).toEqual([])
      const { groupId } = won.founded
      const lost = outcomes.find(({ reply }) => !reply.ok)
      expect(lost?.reply).toMatchObject({ code: 'group-continued', group: { groupId } })
      expect(await won.member.client.ask('continue', won.upload)).toEqual(won.reply)
      won.member.goOn(won.founded)
      await won.member.take()
      for (const member of members) {
        await member.client.notice('continued', ({ next }) => `${next}` === `${groupId}`)
        if (member !== won.member) await follow(member, offered, groupId)
        expect(member.client.notices.closed).toEqual([])
      }
      const seq = await carol.commit()
      await Promise.all([alice, bob].map((member) => member.receiveUpTo(seq)))
      expect(alice.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator)
      await eventually('all are there', async () => {
        const view = await second.keyserver.administration.meeting(meetingId)
        return view?.roster.every(({ connected }) => connected)
      })
      const { meetingIds } = await first.keyserver.administration.listMeetings(null, 10)
      expect(meetingIds).toContain(meetingId)
    }
  })
})
