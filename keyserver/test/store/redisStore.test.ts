import { afterAll, beforeAll, describe } from 'vitest'
import { redisStore } from '../../src/store/redis/redisStore.ts'
import { connectTo } from '../support/redis.ts'
import { RedisCluster } from '../support/redisCluster.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'
import { describeStore } from './storeContract.ts'

let stores = 0
async function openStore(urls: readonly string[], options: { readonly retainedBytes?: number }) {
  stores += 1
  return redisStore(await connectTo(urls), { ...options, prefix: `store-${stores}` })
}

describe.skipIf(redisMissing)('one Redis server', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server.stop())

  describeStore('the Redis store', (options) => openStore([server.url], options))
})

describe.skipIf(redisMissing)('three nodes of a Redis Cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await RedisCluster.start()
  })
  afterAll(() => cluster.stop())

  describeStore('the Redis store', (options) => openStore(cluster.urls, options))
})
