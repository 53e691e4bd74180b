import { describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { redisForTest } from '../support/redis.ts'
import { RedisCluster } from '../support/redisCluster.ts'
import { redisMissing } from '../support/redisServer.ts'
import { admitted, type MeetingPlace, TestMember } from '../support/testMember.ts'
import { Standalone } from './standalone.ts'

describe.skipIf(redisMissing)('keyservers behind one Redis', () => {
  test('serve one meeting, and go on with it when one of them drains', async () => {
    const { url } = await redisForTest()
    const start = () => Standalone.start([], { REDIS_URL: url })
    const [one, other, third] = [await start(), await start(), await start()]
    let nearest = one
    const wherever: MeetingPlace = {
      clock: one.clock,
      connect: (...names) => nearest.connect(...names),
    }
    const alice = await TestMember.found(wherever, 'alice')
    const bob = await admitted(other, [alice], 'bob')
    const carol = await admitted(third, [alice, bob], 'carol')
    expect(new Set([alice, bob, carol].map(({ epoch }) => epoch))).toEqual(new Set([2]))

    const everywhere = { body: { epoch: 2, head: 2, roster: [{}, {}, { identity: 'carol' }] } }
    for (const instance of [one, other, third]) {
      expect(await instance.ask('GET', '/v1/meetings/standup')).toMatchObject(everywhere)
    }

    await one.running.drain()
    expect(alice.client.socket.connected).toBe(false)
    expect(bob.client.notices.closed).toEqual([])
    nearest = other
    await alice.reconnect()
    const seq = await alice.commit()
    await Promise.all([bob.receiveUpTo(seq), carol.receiveUpTo(seq)])
    expect(carol.epoch).toBe(3)
  })

  test('end a meeting everywhere, whichever is asked', async () => {
    const { url } = await redisForTest()
    const start = () => Standalone.start([], { REDIS_URL: url })
    const [one, other] = [await start(), await start()]
    const alice = await TestMember.found(one, 'alice')
    expect(await other.ask('DELETE', '/v1/meetings/standup')).toMatchObject({ status: 204 })
    expect(await alice.client.notice('closed')).toMatchObject({ reason: 'ended' })
    expect(await one.ask('GET', '/v1/meetings')).toMatchObject({ body: { meetingIds: [] } })
  })

  test('are not ready while Redis is away, and live on', async () => {
    const server = await redisForTest()
    const keyserver = await Standalone.start([], { REDIS_URL: server.url })
    const ready = async () => (await fetch(`${keyserver.url}/readyz`)).status
    expect(await ready()).toBe(200)
    await server.kill()
    const away = await fetch(`${keyserver.url}/readyz`)
    expect(away.status).toBe(503)
    expect(await away.json()).toEqual({ code: 'store-unreachable' })
    expect((await fetch(`${keyserver.url}/healthz`)).status).toBe(200)
    expect(await keyserver.ask('GET', '/v1/meetings')).toMatchObject({
      status: 503,
      body: { code: 'store-unreachable' },
    })
    await server.restart()
    await eventually('readiness', async () => (await ready()) === 200)
  })

  test('refuse a Redis that may lose entries, unless told otherwise', async () => {
    const { url } = await redisForTest({ appendonly: 'no' })
    await expect(Standalone.start([], { REDIS_URL: url })).rejects.toMatchObject({
      code: 'store-not-durable',
      remedy: expect.stringContaining('--allow-lossy') as string,
    })
    const lossy = await Standalone.start(['--allow-lossy'], { REDIS_URL: url })
    const member = await TestMember.arrive(lossy, 'alice')
    expect(await member.client.ask('create', await member.prepareFounding())).toMatchObject({
      durable: false,
    })
  })

  test('do not start where there is no Redis', async () => {
    await expect(Standalone.start([], { REDIS_URL: 'redis://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'store-unreachable',
    })
  })

  test('serve one meeting from a cluster of three nodes', async () => {
    const cluster = await RedisCluster.start()
    onTestFinished(() => cluster.stop())
    const start = () => Standalone.start([], { REDIS_URL: cluster.urls.join(',') })
    const [one, other] = [await start(), await start()]
    const alice = await TestMember.found(one, 'alice')
    const bob = await admitted(other, [alice], 'bob')
    const seq = await bob.commit()
    await alice.receiveUpTo(seq)
    expect(await one.ask('GET', '/v1/meetings')).toMatchObject({
      body: { meetingIds: ['standup'] },
    })
  })
})
