import type { Server as HttpServer } from 'node:http'
import type { Clock } from '@conclave/core'
import { parseServerUrl, type TokenVerifier } from '@conclave/core/access'
import { deliveryNamespace } from '@conclave/core/delivery'
import { mediaNamespace } from '@conclave/core/mediaSignalling'
import type { Logger } from 'pino'
import { Server } from 'socket.io'
import { admitClients, ConnectRefusal } from './admission.ts'
import { authenticate } from './authentication.ts'
import type { ClientNamespace, ClientSocket, SfuServer } from './connections.ts'
import { defaultLimits, type SfuLimits } from './limits.ts'
import { SfuObserver } from './observer.ts'
import { relayDelivery } from './relay/relayNamespace.ts'
import { Rooms } from './rooms/rooms.ts'
import { serveMedia } from './signalling/mediaNamespace.ts'
import { type MediaAddress, WorkerPool } from './workers/workerPool.ts'

export interface SfuOptions {
  /** Already listening or not; whoever made it closes it, after the SFU. */
  readonly httpServer: HttpServer
  /** HTTP path of socket.io; a client that is given `https://host/sfu` uses `/sfu/socket.io`. */
  readonly path?: string
  readonly access: { readonly verifier: TokenVerifier }
  /** The keyserver to which the delivery protocol is relayed, as a client would be given it. */
  readonly keyserver: { readonly url: string }
  readonly media: {
    /** Number of mediasoup workers; each uses one core. */
    readonly workers: number
    readonly addresses: readonly MediaAddress[]
    readonly portRange?: { readonly min: number; readonly max: number }
    readonly workerBin?: string
  }
  readonly limits?: Partial<SfuLimits>
  readonly clock: Clock
  readonly logger: Logger
}

/** What the SFU is doing, for health checks. */
export interface SfuHealth {
  /** `degraded` while workers that died are being replaced. */
  readonly status: 'ok' | 'degraded'
  readonly workers: number
  readonly rooms: number
  readonly relays: number
}

export interface Sfu {
  /** Instrumentation: what was made and closed, with mediasoup's own objects. */
  readonly observer: SfuObserver
  health(): SfuHealth
  /** Tells every client, then closes rooms, relays and workers. */
  close(): Promise<void>
}

/** How long clients may take to receive what they were sent last, in milliseconds. */
const partingMs = 1_000
/**
 * A connection that the network dropped is noticed within these two, in milliseconds. The keyserver
 * learns of a relayed member's absence no sooner.
 */
const pingInterval = 10_000
const pingTimeout = 10_000
const defaultPortRange = { min: 40_000, max: 49_999 }

/**
 * Starts mediasoup workers and serves rooms and the relay on two socket.io namespaces, `/media` and
 * `/delivery`. No key passes here: what it forwards is encrypted end to end.
 *
 * @throws SfuError `announced-address-required` or `worker-failed`
 * @throws AccessError `url-invalid` for the keyserver's URL
 */
export async function createSfu(options: SfuOptions): Promise<Sfu> {
  const { httpServer, access, clock, logger, media } = options
  const limits = { ...defaultLimits, ...options.limits }
  const keyserver = parseServerUrl(options.keyserver.url, { allowInsecure: true })
  const observer = new SfuObserver(logger)
  const pool = await WorkerPool.start({
    count: media.workers,
    addresses: media.addresses,
    portRange: media.portRange ?? defaultPortRange,
    ...(media.workerBin === undefined ? {} : { workerBin: media.workerBin }),
    clock,
    logger,
    observer,
  })
  const rooms = new Rooms(pool, limits, observer)

  const io: SfuServer = new Server(httpServer, {
    path: options.path ?? '/socket.io',
    serveClient: false,
    transports: ['websocket'],
    pingInterval,
    pingTimeout,
    maxHttpBufferSize: limits.payloadBytes,
    allowRequest: (_request, decide) => {
      const full = io.engine.clientsCount >= limits.connections
      decide(full ? 'too many connections' : null, !full)
    },
  })
  const identify = async (socket: ClientSocket) => {
    socket.data.claims = await authenticate(socket, access.verifier)
  }
  // socket.io opens "/" to whoever connects.
  io.use((_socket, next) => next(new ConnectRefusal('unknown-namespace', 'nothing is served here')))
  const mediaClients = io.of(mediaNamespace)
  serveMedia(mediaClients, { rooms, limits, clock, logger, observer })
  admitClients(mediaClients, identify)
  const relayedClients = io.of(deliveryNamespace)
  const relay = relayDelivery(relayedClients, { keyserver, limits, clock, logger, observer })
  admitClients(relayedClients, async (socket) => {
    await identify(socket)
    await relay.admit(socket)
  })

  return {
    observer,
    health: () => ({
      status: pool.size === media.workers ? 'ok' : 'degraded',
      workers: pool.size,
      rooms: rooms.size,
      relays: relay.size,
    }),
    async close() {
      await rooms.close('server-closing')
      relay.close()
      await hangUp([mediaClients, relayedClients], clock)
      io.engine.close()
      pool.close()
    },
  }
}

/** Disconnects every client once it has what it was sent, and waits for that a little while. */
async function hangUp(namespaces: readonly ClientNamespace[], clock: Clock): Promise<void> {
  const sockets = namespaces.flatMap((namespace) => [...namespace.sockets.values()])
  const gone = sockets.map(
    ({ conn }) => new Promise<void>((resolve) => conn.once('close', () => resolve())),
  )
  for (const namespace of namespaces) namespace.disconnectSockets(true)
  const late = Promise.withResolvers<void>()
  const cancel = clock.setTimer(partingMs, late.resolve)
  await Promise.race([Promise.all(gone), late.promise])
  cancel()
}
