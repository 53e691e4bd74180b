import { Buffer } from 'node:buffer'
import type { Clock } from '@conclave/core'
import { type createClient, type createCluster, ErrorReply, RESP_TYPES } from 'redis'
import { StoreError } from '../storeError.ts'
import type { LuaScript } from './luaScript.ts'

export type SingleRedis = ReturnType<typeof createClient>
export type ClusterRedis = ReturnType<typeof createCluster>

export type RedisArgument = string | number | Uint8Array

/**
 * What a store needs of Redis, whether it is one server or a cluster: commands and scripts whose
 * keys have one hash tag. Byte strings come back as Buffers.
 */
export interface RedisConnection {
  /** Whether every server writes what it acknowledges to its disk first, and evicts nothing. */
  readonly durable: boolean
  /**
   * @param key one of the command's keys, all of which have its hash tag
   * @throws StoreError
   */
  send(key: string, command: readonly RedisArgument[]): Promise<unknown>
  /**
   * @param nameKey gives the key for each name in the script's header
   * @throws StoreError
   */
  run(
    script: LuaScript,
    nameKey: (name: string) => string,
    args: readonly RedisArgument[],
  ): Promise<unknown>
  /**
   * To the server, or to each of the cluster's masters.
   * @throws StoreError
   */
  sendToEach(command: readonly string[]): Promise<readonly unknown[]>
  /**
   * Another client of the same servers, not connected yet, whose commands wait while they cannot be
   * reached.
   */
  patientClient(): SingleRedis | ClusterRedis
  close(): Promise<void>
}

/** How one server and a cluster differ. */
export interface RedisServers {
  readonly client: SingleRedis | ClusterRedis
  send(key: string, command: readonly (string | Buffer)[]): Promise<unknown>
  /** The server, or each of the cluster's masters. */
  masters(): Promise<readonly SingleRedis[]>
  patientClient(): SingleRedis | ClusterRedis
}

const options = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }

/** @param create patient: its commands wait while Redis cannot be reached, and do not fail */
export function singleServer(create: (patient: boolean) => SingleRedis): RedisServers {
  const client = create(false)
  return {
    client,
    send: (_, command) => client.sendCommand(command, options),
    masters: async () => [client],
    patientClient: () => create(true),
  }
}

/** @param create as for a single server */
export function clusterServers(create: (patient: boolean) => ClusterRedis): RedisServers {
  const client = create(false)
  return {
    client,
    send: (key, command) => client.sendCommand(key, false, [...command], options),
    masters: () => Promise.all(client.masters.map((master) => client.nodeClient(master))),
    patientClient: () => create(true),
  }
}

/** @param timeoutMs within which every command ends, if only with an error */
export function redisConnection(
  servers: RedisServers,
  {
    durable,
    clock,
    timeoutMs,
  }: {
    readonly durable: boolean
    readonly clock: Clock
    readonly timeoutMs: number
  },
): RedisConnection {
  const { client } = servers
  const send = (key: string, command: readonly RedisArgument[]) =>
    answered(clock, timeoutMs, servers.send(key, command.map(asArgument)))

  return {
    durable,
    send,
    async run(script, nameKey, args) {
      const keys = script.keys.map(nameKey)
      const [first = ''] = keys
      const rest = [keys.length, ...keys, ...args]
      try {
        return await send(first, ['EVALSHA', script.sha, ...rest])
      } catch (error) {
        if (!isUnknownScript(error)) throw error
        return await send(first, ['EVAL', script.text, ...rest])
      }
    },
    async sendToEach(command) {
      const sendEach = async () => {
        const masters = await servers.masters()
        return await Promise.all(masters.map((master) => master.sendCommand(command)))
      }
      return await answered(clock, timeoutMs, sendEach())
    },
    patientClient: servers.patientClient,
    async close() {
      try {
        await answered(clock, timeoutMs, client.close())
      } catch {
        client.destroy()
      }
    },
  }
}

/**
 * What the server answers, in time. Once written a command has no timeout of its own in the client.
 * @throws StoreError
 */
export function answered<T>(clock: Clock, timeoutMs: number, reply: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.setTimer(timeoutMs, () =>
      reject(unreachable(new Error(`no answer within ${timeoutMs} ms`))),
    )
    reply.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (error: unknown) => {
        cancel()
        reject(asStoreError(error))
      },
    )
  })
}

function asArgument(argument: RedisArgument): string | Buffer {
  if (typeof argument === 'string') return argument
  if (typeof argument === 'number') return String(argument)
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength)
}

function isUnknownScript(error: unknown): boolean {
  return (
    error instanceof StoreError &&
    error.cause instanceof ErrorReply &&
    error.cause.message.startsWith('NOSCRIPT')
  )
}

/**
 * A server that refuses for now (READONLY, CLUSTERDOWN, LOADING, OOM, MISCONF, …) is as good as
 * unreachable; one that finds a key of another type, or fails within a script, has been given
 * something that is not this version's.
 */
function asStoreError(error: unknown): StoreError {
  if (error instanceof ErrorReply && /^(WRONGTYPE|ERR)\b/.test(error.message)) {
    return new StoreError('store-corrupted', `Redis cannot do a step: ${error.message}`, {
      cause: error,
    })
  }
  return unreachable(error)
}

function unreachable(cause: unknown): StoreError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new StoreError('store-unreachable', `Redis is not available: ${reason}`, { cause })
}
