import type { Clock } from '@conclave/core'
import type { Logger } from 'pino'
import { createClient, createCluster, ErrorReply } from 'redis'
import { StoreError } from '../storeError.ts'
import {
  answered,
  clusterServers,
  type RedisConnection,
  type RedisServers,
  redisConnection,
  type SingleRedis,
  singleServer,
} from './redisConnection.ts'

/** Within which a command ends, if only with an error. */
const commandTimeoutMs = 2_000
/** A connection on which nothing comes for so long, not even the answer to a PING, is replaced. */
const silenceMs = 6_000
const pingMs = 2_000
const longestBackoffMs = 1_000
/** Commands that may be under way at once. */
const queuedCommands = 20_000

export interface RedisOptions {
  /** One `redis:` or `rediss:` URL, or several nodes of one cluster. */
  readonly urls: readonly string[]
  /** Serve although Redis may lose what has been acknowledged; acks then say so. */
  readonly allowLossy: boolean
  readonly clock: Clock
  readonly logger: Pick<Logger, 'info' | 'warn'>
}

/**
 * Connects to Redis, version 7 or later, and looks at how durable it is. A connection that is lost later is made again,
 * however long that takes; until then every command fails at once.
 *
 * @throws StoreError `store-unreachable`, `store-not-durable`
 */
export async function connectRedis(options: RedisOptions): Promise<RedisConnection> {
  const { clock, allowLossy, logger } = options
  const servers = createServers(options)
  const { client } = servers
  let trouble: unknown
  const whenFailing = (error: unknown) => {
    if (trouble === undefined) logger.warn({ reason: reasonOf(error) }, 'Redis is not reachable')
    trouble = error
  }
  const whenReady = () => {
    if (trouble !== undefined) logger.info('Redis is reachable again')
    trouble = undefined
  }
  // A cluster tells of its nodes by names of their own.
  client.on('error', whenFailing).on('node-error', whenFailing)
  client.on('ready', whenReady).on('node-ready', whenReady)
  try {
    await answered(clock, commandTimeoutMs, connect(client))
    const lossy = await answered(clock, commandTimeoutMs, findLossySetting(servers))
    if (lossy !== undefined && !allowLossy) throw notDurable(lossy)
    if (lossy !== undefined) logger.warn({ found: lossy }, 'Redis may lose what it acknowledges')
    const durable = lossy === undefined
    return redisConnection(servers, { durable, clock, timeoutMs: commandTimeoutMs })
  } catch (error) {
    client.destroy()
    throw trouble === undefined ? error : noConnection(trouble)
  }
}

async function connect(client: RedisServers['client']): Promise<void> {
  await client.connect()
}

const connectionSettings = {
  connectTimeout: commandTimeoutMs,
  socketTimeout: silenceMs,
  reconnectStrategy: (retries: number) => Math.min(50 * 2 ** retries, longestBackoffMs),
}

function createServers({ urls }: RedisOptions): RedisServers {
  const settings = (patient: boolean) => ({
    disableOfflineQueue: !patient,
    // The others' commands have their own time to be answered, with a timer that ends with them.
    ...(!patient && { commandOptions: { timeout: 0 } }),
    commandsQueueMaxLength: queuedCommands,
    pingInterval: pingMs,
    socket: connectionSettings,
  })
  const [url = ''] = urls
  if (urls.length === 1) {
    return singleServer((patient) => createClient({ ...settings(patient), url }))
  }
  const rootNodes = urls.map((url) => ({ url }))
  return clusterServers((patient) =>
    createCluster({
      rootNodes,
      minimizeConnections: patient,
      defaults: { ...settings(patient), ...sharedBy(url) },
    }),
  )
}

/** Nodes that are discovered later are connected to with the first URL's user and TLS. */
function sharedBy(url: string) {
  const { protocol, username, password } = new URL(url)
  return {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { socket: { ...connectionSettings, tls: true as const } }),
  }
}

const required = [
  ['appendonly', 'yes'],
  ['appendfsync', 'always'],
  ['maxmemory-policy', 'noeviction'],
] as const

/** The first setting of any server by which it could lose what it has acknowledged. */
async function findLossySetting(servers: RedisServers): Promise<string | undefined> {
  for (const master of await servers.masters()) {
    for (const [name, value] of required) {
      const found = await readSetting(master, name)
      if (found !== value) return `${name} ${found ?? '(cannot be read)'}`
    }
  }
  return undefined
}

/** Undefined where the server does not let its settings be read. */
async function readSetting(server: SingleRedis, name: string): Promise<string | undefined> {
  try {
    return (await server.configGet(name))[name]
  } catch (error) {
    if (error instanceof ErrorReply && /^(NOPERM|ERR)\b/.test(error.message)) return undefined
    throw error
  }
}

function notDurable(found: string): StoreError {
  const wanted = required.map((setting) => setting.join(' ')).join(', ')
  return new StoreError('store-not-durable', `Redis has ${found}, not all of: ${wanted}`, {
    remedy: 'change the settings of Redis, or allow it to lose entries by --allow-lossy',
  })
}

function noConnection(cause: unknown): StoreError {
  return new StoreError('store-unreachable', `cannot connect to Redis: ${reasonOf(cause)}`, {
    cause,
    remedy: 'see that Redis runs, and that its URL, user and password are right',
  })
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
