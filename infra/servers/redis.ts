import { RedisServer } from '../../keyserver/test/support/redisServer.ts'
import { BenchError } from '../bench/benchError.ts'

/**
 * A redis-server with `appendfsync always`.
 * @throws BenchError `bench-server-failed`
 */
export async function startRedis(): Promise<RedisServer> {
  try {
    return await RedisServer.start()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new BenchError('bench-server-failed', `redis-server cannot be started: ${reason}`)
  }
}
