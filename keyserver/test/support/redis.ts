import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/edge/systemRuntime.ts'
import { connectRedis, type RedisOptions } from '../../src/store/redis/connectRedis.ts'
import type { RedisConnection } from '../../src/store/redis/redisConnection.ts'
import { RedisServer, type RedisSettings } from './redisServer.ts'

export const silentLogger = pino({ level: 'silent' })

/** A server for the running test alone. */
export async function redisForTest(settings?: RedisSettings): Promise<RedisServer> {
  const server = await RedisServer.start(settings)
  onTestFinished(() => server.stop())
  return server
}

/** A connection that the caller closes. */
export function connectTo(
  urls: readonly string[],
  options: Partial<RedisOptions> = {},
): Promise<RedisConnection> {
  const base = { clock: systemClock, logger: silentLogger, allowLossy: false }
  return connectRedis({ ...base, ...options, urls })
}

/** A connection that is closed with the running test. */
export async function connectForTest(
  ...args: Parameters<typeof connectTo>
): Promise<RedisConnection> {
  const redis = await connectTo(...args)
  onTestFinished(() => redis.close())
  return redis
}
