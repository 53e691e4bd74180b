import { commonRemovalSigner, type KeyserverOptions, systemClock } from '@conclave/keyserver'
import { redisDirectory } from '../../src/directory/redis/redisDirectory.ts'
import { bullJobs } from '../../src/jobs/bullJobs.ts'
import { redisFanout } from '../../src/store/redis/fanout.ts'
import { redisStore } from '../../src/store/redis/redisStore.ts'
import { connectTo, silentLogger } from './redis.ts'
import { TestServer } from './testServer.ts'

/** An instance of the keyserver on this Redis, closed with the running test. */
export async function startInstance(
  urls: readonly string[],
  options: Partial<KeyserverOptions> = {},
): Promise<TestServer> {
  const redis = await connectTo(urls)
  const effects = { clock: systemClock, logger: silentLogger }
  const store = redisStore(redis)
  const fanout = await redisFanout(redis, effects)
  const server = await TestServer.start({
    store,
    adapter: fanout.adapter,
    jobs: bullJobs({ ...effects, redis: redis.patientClient() }),
    directoryStore: redisDirectory(redis),
    removalSigner: await commonRemovalSigner(globalThis.crypto.subtle, store),
    ...options,
  })
  await server.keyserver.started
  return server
}
