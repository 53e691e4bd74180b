import type { Clock } from '@conclave/core'
import type { Logger } from 'pino'
import type { ServerOptions } from 'socket.io'
import type { DirectoryStore } from '../directory/directory.ts'
import { memoryDirectory } from '../directory/memoryDirectory.ts'
import { redisDirectory } from '../directory/redis/redisDirectory.ts'
import { bullJobs } from '../jobs/bullJobs.ts'
import type { JobRun, JobService } from '../jobs/jobs.ts'
import { timerJobs } from '../jobs/timerJobs.ts'
import { memoryStore } from '../store/memoryStore.ts'
import { connectRedis } from '../store/redis/connectRedis.ts'
import { redisFanout } from '../store/redis/fanout.ts'
import { redisStore } from '../store/redis/redisStore.ts'
import type { Store } from '../store/store.ts'
import type { Configuration } from './configuration.ts'

/** What a keyserver keeps its state in: this process's memory, or Redis for several instances. */
export interface Backing {
  readonly store: Store
  readonly directory: DirectoryStore
  readonly jobs: JobService
  /** How instances reach each other's sockets; undefined where there is one. */
  readonly adapter: ServerOptions['adapter'] | undefined
  /** After the keyserver, which closes the others. */
  closeAdapter(): Promise<void>
}

interface BackingOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly onRun: (run: JobRun) => void
}

/** @throws StoreError `store-unreachable`, `store-not-durable` */
export async function openBacking(
  redis: Configuration['redis'],
  options: BackingOptions,
): Promise<Backing> {
  return redis === undefined ? memoryBacking(options) : await redisBacking(redis, options)
}

/** Where no keyserver does. */
export async function closeBacking(backing: Backing): Promise<void> {
  await backing.jobs.close()
  await backing.closeAdapter()
  await backing.directory.close()
  await backing.store.close()
}

function memoryBacking(options: BackingOptions): Backing {
  return {
    store: memoryStore(),
    directory: memoryDirectory(),
    jobs: timerJobs(options),
    adapter: undefined,
    closeAdapter: async () => {},
  }
}

async function redisBacking(
  redis: NonNullable<Configuration['redis']>,
  options: BackingOptions,
): Promise<Backing> {
  const connection = await connectRedis({ ...redis, ...options })
  const store = redisStore(connection)
  try {
    const fanout = await redisFanout(connection, options)
    return {
      store,
      directory: redisDirectory(connection),
      jobs: bullJobs({ ...options, redis: connection.patientClient() }),
      adapter: fanout.adapter,
      closeAdapter: () => fanout.close(),
    }
  } catch (error) {
    await store.close()
    throw error
  }
}
