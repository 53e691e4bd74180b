import { pino } from 'pino'
import { afterAll, beforeAll, describe } from 'vitest'
import { systemClock } from '../../src/edge/systemRuntime.ts'
import { connectRedis } from '../../src/store/redis/connectRedis.ts'
import { redisStore } from '../../src/store/redis/redisStore.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'
import { describeStore } from './storeContract.ts'

const logger = pino({ level: 'silent' })

describe.skipIf(redisMissing)('one Redis server', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server.stop())

  let stores = 0
  describeStore('the Redis store', async (options) => {
    const { url } = server
    const redis = await connectRedis({ urls: [url], allowLossy: false, clock: systemClock, logger })
    stores += 1
    return redisStore(redis, { ...options, prefix: `store-${stores}` })
  })
})
