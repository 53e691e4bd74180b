import { Adapter } from 'socket.io-adapter'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startInstance } from '../support/instances.ts'
import { RedisCluster } from '../support/redisCluster.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'
import { add, keyPackageOf, type MeetingPlace, TestMember } from '../support/testMember.ts'
import type { TestServer } from '../support/testServer.ts'

let meetings = 0
/** A name of its own for each test: they share a Redis. */
function newMeeting(): string {
  meetings += 1
  return `meeting ${meetings}`
}

describe.skipIf(redisMissing).each([
  ['one Redis', async () => await RedisServer.start()],
  ['a cluster of three', async () => await RedisCluster.start()],
] as const)('three instances behind %s', (_, startRedis) => {
  let redis: RedisServer | RedisCluster
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const start = async (graceMs = 10_000): Promise<[TestServer, TestServer, TestServer]> => {
    const urls = 'urls' in redis ? redis.urls : [redis.url]
    const instance = () => startInstance(urls, { graceMs })
    return await Promise.all([instance(), instance(), instance()])
  }

  /** One member at each instance, all in one epoch. */
  const spread = async (places: readonly MeetingPlace[], meetingId: string) => {
    const [first, ...others] = places as [MeetingPlace, ...MeetingPlace[]]
    const members = [await TestMember.found(first, 'member 0', meetingId)]
    for (const [i, place] of others.entries()) {
      const joiner = await TestMember.arrive(place, `member ${i + 1}`, meetingId)
      const bundle = await joiner.wait()
      const seq = await (members[0] as TestMember).admit(1)
      await joiner.join(bundle)
      await joiner.take()
      for (const member of members.slice(1)) await member.receiveUpTo(seq)
      members.push(joiner)
    }
    return members as [TestMember, TestMember, TestMember]
  }

  test('a meeting is one: joiners are welcomed and entries arrive wherever one is connected', async () => {
    const places = await start()
    const [alice, bob, carol] = await spread(places, newMeeting())
    for (const committer of [alice, bob, carol]) {
      const seq = await committer.commit()
      for (const member of [alice, bob, carol]) {
        if (member !== committer) await member.receiveUpTo(seq)
      }
    }
    expect(bob.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
    expect(carol.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
    const present = await alice.client.notice('present', ({ leaves }) => leaves.length === 3)
    expect(present.leaves).toEqual([0, 1, 2])
  })

  test('application messages reach everyone, also of an epoch that their instance has yet to learn of', async () => {
    const [alice, bob, carol] = await spread(await start(), newMeeting())
    const { groupId } = alice
    await bob.receiveUpTo(await alice.commit())
    const message = await bob.group.protect(new Uint8Array(5))
    await bob.client.ask('send', { groupId, message })
    for (const { client } of [alice, carol]) {
      expect(await client.notice('message')).toEqual({ groupId, message })
    }
    expect(bob.client.notices.message).toEqual([])
  })

  test('of commits that race over all instances one ends each epoch, and the losers learn which', async () => {
    const places = await start()
    const members = await spread(places, newMeeting())
    for (let round = 0; round < 8; round++) {
      const attempts = await Promise.all(
        members.map(async (member) => ({ member, ...(await member.prepareCommit()) })),
      )
      const outcomes = await Promise.all(
        attempts.map(async ({ member, pending, upload }) => {
          const reply = await member.client.request('commit', upload)
          return { member, pending, reply }
        }),
      )
      expect(outcomes.filter(({ reply }) => reply.ok)).toHaveLength(1)
      for (const { member, pending, reply } of outcomes) {
        if (reply.ok) member.confirm(pending, reply.seq)
        else {
          expect(reply.code).toBe('epoch-mismatch')
          await member.receive(reply.missed ?? [])
        }
      }
      const [alice, bob, carol] = members
      expect(bob.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
      expect(carol.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
    }
  })

  test('of founders at all instances one wins, and the others learn of its group', async () => {
    const places = await start()
    const meetingId = newMeeting()
    const founders = await Promise.all(
      places.map((place, i) => TestMember.arrive(place, `founder ${i}`, meetingId)),
    )
    const replies = await Promise.all(
      founders.map(async (founder) =>
        founder.client.request('create', await founder.prepareFounding()),
      ),
    )
    const won = replies.findIndex(({ ok }) => ok)
    const { groupId } = founders[won] as TestMember
    expect(replies.filter(({ ok }) => ok)).toHaveLength(1)
    for (const reply of replies.filter(({ ok }) => !ok)) {
      expect(reply).toMatchObject({ code: 'meeting-exists', group: { groupId } })
    }
  })

  test('a commit may refer to a proposal that another instance has taken', async () => {
    const places = await start()
    const [alice, bob, carol] = await spread(places, newMeeting())
    const proposed = await carol.leaveGroup()
    await bob.receiveUpTo(proposed)
    const seq = await bob.commit()
    await alice.receiveUpTo(seq)
    expect(alice.group.members).toHaveLength(2)
  })

  test('who has gone from one instance is removed by whichever looks after the group', async () => {
    const places = await start(500)
    const [alice, bob, carol] = await spread(places, newMeeting())
    bob.client.disconnect()
    const seq = await eventually(
      'the removal of who is absent',
      () => alice.client.notices.entry.find(({ entry }) => entry.seq > alice.seen)?.entry.seq,
    )
    await alice.receiveUpTo(seq)
    const committed = await alice.commit()
    await carol.receiveUpTo(committed)
    expect(carol.group.members.map(({ leafIndex }) => leafIndex)).toEqual([0, 2])
  })

  test('who moves to another instance within the grace period stays', async () => {
    const places = await start(3_000)
    const meetingId = newMeeting()
    const [alice, bob, carol] = await spread(places, meetingId)
    bob.client.disconnect()
    const moved = places[2]
    const client = await moved.connect('member 1', meetingId)
    const entered = await client.enter(meetingId)
    if (!entered.ok) throw new Error(entered.code)
    bob.client = client
    bob.entered = entered
    await bob.resume()
    await bob.attach()
    const seq = await carol.commit()
    await bob.receiveUpTo(seq)
    await alice.receiveUpTo(seq)
    const view = await places[0].keyserver.administration.meeting(meetingId)
    expect(view?.roster.map(({ connected }) => connected)).toEqual([true, true, true])
    expect(view?.roster.some(({ beingRemoved }) => beingRemoved)).toBe(false)
  })

  test('a meeting that is ended through one instance is closed for those at the others', async () => {
    const places = await start()
    const meetingId = newMeeting()
    const [alice, bob, carol] = await spread([places[0], places[1], places[1]], meetingId)
    expect(await places[2].keyserver.administration.end(meetingId)).toBe(true)
    for (const member of [alice, bob, carol]) {
      expect(await member.client.notice('closed')).toMatchObject({ reason: 'ended' })
    }
    const again = await bob.client.enter(meetingId)
    expect(again).toMatchObject({ ok: true, group: null })
  })

  test('a removal through an instance that nobody of the meeting is at is proposed to all', async () => {
    const places = await start()
    const meetingId = newMeeting()
    const [alice, , carol] = await spread([places[0], places[0], places[1]], meetingId)
    const { remove } = places[2].keyserver.administration
    expect(await remove(meetingId, { identity: 'member 1' })).toEqual([1])
    const { entry } = await carol.client.notice('entry', ({ entry }) => entry.seq > carol.seen)
    await carol.receiveUpTo(entry.seq)
    await alice.receiveUpTo(entry.seq)
    await carol.commit()
    expect(carol.group.members.map(({ leafIndex }) => leafIndex)).toEqual([0, 2])
  })

  test('what an instance could not tell before it was cut off is found out all the same', async () => {
    const urls = 'urls' in redis ? redis.urls : [redis.url]
    const [first, third, mute] = await Promise.all([
      startInstance(urls),
      startInstance(urls),
      // It tells only those who are connected to it.
      startInstance(urls, { adapter: Adapter }),
    ])
    const meetingId = newMeeting()
    const [alice, bob] = await spread([mute, first], meetingId)
    const carol = await TestMember.arrive(third, 'carol', meetingId)
    const bundle = await carol.wait()
    const { waiting } = await alice.resume()
    const seq = await alice.commit(waiting.map(({ keyPackage }) => add(keyPackageOf(keyPackage))))
    await bob.receiveUpTo(seq)
    await carol.join(bundle)
    expect(carol.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
  })
})
