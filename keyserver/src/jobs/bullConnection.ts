import { createNodeRedisClient, type IRedisClient } from 'bullmq'

/** A client of the package `redis`: of one server, or of a Cluster. */
export interface RedisClient {
  readonly isOpen: boolean
  duplicate(): RedisClient
  on(event: string, listener: (error: unknown) => void): unknown
  emit(event: string): unknown
  connect(): Promise<unknown>
  destroy(): unknown
}

export interface BullConnection {
  readonly client: IRedisClient
  destroy(): void
}

/** A connection of BullMQ's own, made like `like`, which stays as it is. */
export function bullConnection(
  like: RedisClient,
  events: { readonly ready: () => void; readonly failed: (error: unknown) => void },
): BullConnection {
  const connection = readyWhenConnected(like.duplicate())
  const client = createNodeRedisClient(connection)
  client.on('ready', events.ready)
  client.on('error', events.failed)
  return {
    client,
    destroy: () => {
      if (connection.isOpen) connection.destroy()
    },
  }
}

/**
 * BullMQ waits for the event `ready`, which a Cluster's client does not have: it is ready as soon as
 * it is connected. The same goes for its duplicates, as BullMQ makes one to wait for jobs.
 */
function readyWhenConnected(connection: RedisClient): RedisClient {
  if (!('masters' in connection)) return connection
  const duplicate = connection.duplicate.bind(connection)
  connection.on('connect', () => connection.emit('ready'))
  connection.duplicate = () => readyWhenConnected(duplicate())
  return connection
}
