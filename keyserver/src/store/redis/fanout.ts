import type { Clock } from '@conclave/core'
import { createAdapter } from '@socket.io/redis-streams-adapter'
import type { Logger } from 'pino'
import { ErrorReply } from 'redis'
import { answered, type RedisConnection } from './redisConnection.ts'
import { listOf, numberOf } from './replies.ts'

/** Carries what is sent to sockets to the other instances of the keyserver. */
export interface Fanout {
  /** For socket.io's `adapter` option. */
  readonly adapter: ReturnType<typeof createAdapter>
  close(): Promise<void>
}

const connectMs = 2_000
/** How long a read waits for something to arrive. */
const blockMs = 2_000
const pauseMs = 100
const attempts = 50
/** Entries of the stream; whoever is further behind has lost some and resumes from the log. */
const maxEntries = 10_000
/** What may wait for Redis at once, in bytes; what is beyond is lost to the other instances. */
const maxWaitingBytes = 64 << 20

/**
 * Fan-out through a Redis stream, with socket.io's adapter. What is sent while Redis cannot be
 * reached is sent when it is back, perhaps in another order: receivers go by their log's numbers.
 *
 * The adapter gets a client of ours in place of the real one, because its own loops do not survive
 * a restart of Redis: failed reads are repeated without a pause, nobody handles a publication that
 * fails, what comes before the first message has been read is skipped when a read fails, and even
 * an instance's own sockets hear nothing without Redis.
 *
 * @throws StoreError `store-unreachable`
 */
export async function redisFanout(
  redis: RedisConnection,
  options: {
    readonly clock: Clock
    readonly logger: Pick<Logger, 'warn'>
    readonly prefix?: string
  },
): Promise<Fanout> {
  const { clock, logger, prefix = 'conclave' } = options
  const streamName = `${prefix}:{fanout}`
  // A client that is blocked in a read, or subscribed, is of no other use.
  const clients = [redis.patientClient(), redis.patientClient(), redis.patientClient()] as const
  const [publisher, reader, subscriber] = clients
  let closed = false
  let waitingBytes = 0

  const pause = () => new Promise<void>((resolve) => clock.setTimer(pauseMs, resolve))

  /** Until it has worked, within reason; a failure is the message's loss and nobody else's. */
  const persist = async <T>(
    what: string,
    bytes: number,
    step: () => Promise<T>,
  ): Promise<T | undefined> => {
    if (waitingBytes + bytes > maxWaitingBytes) {
      logger.warn({ what }, 'fan-out: too much waits for Redis')
      return undefined
    }
    waitingBytes += bytes
    try {
      for (let attempt = 1; !closed; attempt++) {
        try {
          return await step()
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          const hopeless = error instanceof ErrorReply && /^(WRONGTYPE|ERR)\b/.test(reason)
          if (closed || hopeless || attempt === attempts) {
            if (!closed) logger.warn({ what, reason }, 'fan-out: given up')
            return undefined
          }
          await pause()
        }
      }
      return undefined
    } finally {
      waitingBytes -= bytes
    }
  }

  const connect = async (client: (typeof clients)[number]) => {
    // Connections are made again for as long as it takes; the store's own client logs about them.
    client.on('error', () => {})
    await client.connect()
  }
  const close = async () => {
    closed = true
    for (const client of clients) if (client.isOpen) client.destroy()
  }

  let position: string
  try {
    await answered(clock, connectMs, Promise.all(clients.map(connect)))
    const last = publisher.xRevRange(streamName, '+', '-', { COUNT: 1 })
    position = (await answered(clock, connectMs, last))?.[0]?.id ?? '0-0'
  } catch (error) {
    await close()
    throw error
  }

  type Entry = { readonly id: string; readonly message: Record<string, string> }
  const client = {
    // By its presence the adapter knows a client of the package `redis`.
    sSubscribe: () => Promise.reject(new TypeError('fan-out does not use sharded channels')),
    on: () => client,
    connect: async () => client,
    duplicate: () => client,
    disconnect: close,

    /** Does not keep this instance's own sockets waiting, who get it when this has returned. */
    async xAdd(stream: string, id: string, message: Record<string, string>, options: object) {
      const bytes = message['data']?.length ?? 0
      void persist('broadcast', bytes, () => publisher.xAdd(stream, id, message, options))
      return ''
    },

    publish: (channel: string, message: Uint8Array) =>
      persist('publish', message.length, () => redis.send(channel, ['PUBLISH', channel, message])),

    /** Goes on from what was read last, whatever the adapter says. */
    async xRead(): Promise<readonly { readonly messages: readonly Entry[] }[] | null> {
      try {
        const read = { COUNT: 100, BLOCK: blockMs }
        const streams = await reader.xRead([{ key: streamName, id: position }], read)
        position = streams?.[0]?.messages.at(-1)?.id ?? position
        return streams
      } catch {
        // The adapter reads again at once, for ever.
        if (closed) return new Promise(() => {})
        await pause()
        return null
      }
    },

    subscribe: (channels: string[], listener: (message: Uint8Array) => void) =>
      persist('subscribe', 0, () => subscriber.subscribe(channels, listener, true)),

    /** PUBSUB NUMSUB: over all nodes. */
    async sendCommand(command: readonly string[]) {
      const counts = (await redis.sendToEach(command)).map((reply) => numberOf(listOf(reply)[1]))
      return ['', counts.reduce((sum, count) => sum + count, 0)]
    },
  }
  const adapter = createAdapter(client, {
    streamName,
    channelPrefix: streamName,
    maxLen: maxEntries,
  })
  return { adapter, close }
}
