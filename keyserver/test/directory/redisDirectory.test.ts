import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisDirectory } from '../../src/directory/redis/redisDirectory.ts'
import { systemClock } from '../../src/edge/systemRuntime.ts'
import type { RedisConnection } from '../../src/store/redis/redisConnection.ts'
import { connectForTest, connectTo, redisForTest } from '../support/redis.ts'
import { RedisCluster } from '../support/redisCluster.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'
import { describeDirectory, keyPackage, limits, phone, rate } from './directoryContract.ts'

let directories = 0
function freshDirectory(redis: RedisConnection) {
  directories += 1
  return redisDirectory(redis, { prefix: `test-${directories}` })
}

describe.skipIf(redisMissing)('one Redis server', () => {
  let server: RedisServer
  let redis: RedisConnection
  beforeAll(async () => {
    server = await RedisServer.start()
    redis = await connectTo([server.url])
  })
  afterAll(async () => {
    await redis.close()
    await server.stop()
  })

  describeDirectory('the directory in Redis', async () => freshDirectory(redis))

  test('hands out what was published before it was killed, and nothing twice', async () => {
    const killed = await redisForTest()
    const directory = freshDirectory(await connectForTest([killed.url]))
    const now = systemClock.now()
    const keyPackages = ['1', '2'].map((name) => keyPackage(name, now + 3_600_000))
    await directory.publish(phone, { keyPackages, lastResort: null }, limits, now)
    await directory.claim('bob', { identity: 'alice', rate }, now)
    await killed.restart()
    const again = await connectForTest([killed.url])
    const restarted = redisDirectory(again, { prefix: `test-${directories}` })
    expect(await restarted.claim('bob', { identity: 'alice', rate }, now)).toMatchObject([
      { ref: keyPackages[1]?.ref },
    ])
    expect(await restarted.claim('bob', { identity: 'alice', rate }, now)).toEqual([])
  })

  test('leaves no key without a time to live', async () => {
    const directory = freshDirectory(redis)
    const now = systemClock.now()
    const keyPackages = ['1', '2'].map((name) => keyPackage(name, now + 3_600_000))
    const lastResort = keyPackage('last', now + 3_600_000)
    await directory.publish(phone, { keyPackages, lastResort }, limits, now)
    for (const _ of keyPackages) await directory.claim('bob', { identity: 'alice', rate }, now)
    const mail = { meetingId: 'm', groupId: phone.deviceKey, ref: keyPackage('1').ref, seq: 1 }
    const welcome = phone.deviceKey
    await directory.deliver(phone, { ...mail, welcome }, now + 7_200_000, limits, now)
    const keys = (await server.command('KEYS', `test-${directories}:*`)) as string[]
    expect(keys).toHaveLength(7)
    for (const key of keys) {
      const left = Number(await server.command('PTTL', key))
      expect([key, left > 0 && left <= 7_200_000 + 24 * 3_600_000]).toEqual([key, true])
    }
  })
})

describe.skipIf(redisMissing)('three nodes of a Redis Cluster', () => {
  let cluster: RedisCluster
  let redis: RedisConnection
  beforeAll(async () => {
    cluster = await RedisCluster.start()
    redis = await connectTo(cluster.urls)
  })
  afterAll(async () => {
    await redis.close()
    await cluster.stop()
  })

  describeDirectory('the directory in a Redis Cluster', async () => freshDirectory(redis))
})
