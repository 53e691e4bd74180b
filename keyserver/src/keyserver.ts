import type { Clock, RandomBytes } from '@conclave/core'
import type { AccessClaims, TokenVerifier } from '@conclave/core/access'
import type { PublicCrypto } from '@conclave/core/crypto/public'
import {
  type ClientToServerEvents,
  deliveryNamespace,
  type ServerToClientEvents,
} from '@conclave/core/delivery'
import type { Logger } from 'pino'
import { type DefaultEventsMap, type Namespace, Server } from 'socket.io'
import { authenticate, ConnectRefusal } from './connection/authenticate.ts'
import { Connection } from './connection/connection.ts'
import { defaultLimits, type KeyserverLimits, maxPacketBytes } from './limits.ts'
import type { Audience } from './ordering/audience.ts'
import { Meetings } from './ordering/meetings.ts'
import type { RemovalSigner } from './removalSigner.ts'
import type { Store } from './store/store.ts'

interface SocketData {
  claims: AccessClaims
  connection: Connection
}

type DeliveryNamespace = Namespace<
  ClientToServerEvents,
  ServerToClientEvents,
  DefaultEventsMap,
  SocketData
>
type DeliverySocket = Parameters<Parameters<DeliveryNamespace['use']>[0]>[0]
type HttpServer = Parameters<Server['attach']>[0]

export interface KeyserverOptions {
  /** Listening already or not; whoever made it closes it, after the keyserver. */
  readonly httpServer: HttpServer
  /** HTTP path of socket.io; a client that is given `https://host/prefix` uses `/prefix/socket.io`. */
  readonly path?: string
  readonly access: { readonly verifier: TokenVerifier }
  /** Presence and notices are this process's own: a store serves one keyserver at a time. */
  readonly store: Store
  readonly removalSigner: RemovalSigner
  readonly crypto: PublicCrypto
  readonly clock: Clock
  readonly random: RandomBytes
  readonly logger: Logger
  /** How long a member may be without a connection before its removal is proposed: 10 s. */
  readonly graceMs?: number
  readonly limits?: Partial<KeyserverLimits>
}

/** What the keyserver is doing, for health checks. */
export interface KeyserverHealth {
  readonly status: 'ok'
  readonly connections: number
  readonly meetings: number
}

export interface Keyserver {
  health(): KeyserverHealth
  /** Tells every client, then closes connections and store. */
  close(): Promise<void>
}

export const defaultPath = '/socket.io'
export const defaultGraceMs = 10_000

/** A connection that the network dropped is noticed within these two, in milliseconds. */
const pingInterval = 10_000
const pingTimeout = 10_000
/** How long clients may take to read the last that they are told. */
const partingMs = 1_000
/** How long a connected client may take until it has presented its token. */
const connectTimeout = 10_000

/**
 * Serves the delivery protocol (PROTOCOL.md) on the socket.io namespace `/delivery`: orders the
 * messages of each meeting's group, and notices who is gone. It holds no key of any group.
 */
export function createKeyserver(options: KeyserverOptions): Keyserver {
  const { httpServer, access, store, removalSigner, crypto, clock, random, logger } = options
  const limits = { ...defaultLimits, ...options.limits }
  const graceMs = options.graceMs ?? defaultGraceMs
  const io = new Server(httpServer, {
    path: options.path ?? defaultPath,
    serveClient: false,
    transports: ['websocket'],
    maxHttpBufferSize: maxPacketBytes,
    pingInterval,
    pingTimeout,
    connectTimeout,
  })
  const clients: DeliveryNamespace = io.of(deliveryNamespace)
  const audience = audienceOf(clients)
  const meetings = new Meetings({
    store,
    crypto,
    removalSigner,
    clock,
    audience,
    limits,
    graceMs,
    logger,
  })

  // socket.io opens "/" to whoever connects.
  io.use((_socket, next) => next(new ConnectRefusal('unknown-namespace', 'nothing is served here')))
  const admitted = new WeakSet<object>()
  clients.use((socket, next) => {
    const { conn } = socket
    if (clients.sockets.size >= limits.connections) {
      next(new ConnectRefusal('rate-limited', 'the keyserver has no room for another connection'))
      return
    }
    // socket.io itself makes as many sockets of a connection as it sends CONNECT packets.
    if (admitted.has(conn)) {
      next(new ConnectRefusal('already-connected', 'this connection is on the namespace already'))
      return
    }
    admitted.add(conn)
    authenticate(socket.handshake.auth, access.verifier).then(
      (claims) => {
        socket.data.claims = claims
        next()
      },
      (error: Error) => {
        admitted.delete(conn)
        next(error)
      },
    )
  })
  clients.on('connection', (socket) => {
    socket.on('disconnect', () => admitted.delete(socket.conn))
    serve(socket, { meetings, limits, clock, random, logger })
  })

  return {
    health: () => ({
      status: 'ok',
      connections: clients.sockets.size,
      meetings: meetings.size,
    }),
    async close() {
      await meetings.close('shutdown')
      const gone = Promise.all([...clients.sockets.values()].map(({ conn }) => closed(conn)))
      clients.disconnectSockets(true)
      await atMost(partingMs, gone, clock)
      io.engine.close()
      await store.close()
    },
  }
}

interface Closing {
  once(event: 'close', listener: () => void): unknown
}

function closed(connection: Closing): Promise<void> {
  return new Promise((resolve) => {
    connection.once('close', resolve)
  })
}

async function atMost(ms: number, work: Promise<unknown>, clock: Clock): Promise<void> {
  let cancel = (): void => {}
  const timeout = new Promise<void>((resolve) => {
    cancel = clock.setTimer(ms, resolve)
  })
  await Promise.race([work, timeout])
  cancel()
}

function serve(
  socket: DeliverySocket,
  shared: {
    readonly meetings: Meetings
    readonly limits: KeyserverLimits
    readonly clock: Clock
    readonly random: RandomBytes
    readonly logger: Logger
  },
): void {
  const logger = shared.logger.child({ connection: socket.id })
  const connection = new Connection({
    ...shared,
    logger,
    id: socket.id,
    claims: socket.data.claims,
    entered: (meetingId) => void socket.join(meetingRoom(meetingId)),
    disconnect: () => socket.disconnect(true),
  })
  socket.data.connection = connection
  const failed = (error: unknown): void => logger.error({ err: error }, 'a connection failed')
  socket.onAny((event: string, ...args: unknown[]) => {
    connection.receive(event, args).catch(failed)
  })
  socket.on('disconnect', (reason) => {
    logger.debug({ reason }, 'disconnected')
    connection.closed().catch(failed)
  })
}

/** Rooms of socket.io, one for all who have entered a meeting and one for those who follow its log. */
const meetingRoom = (meetingId: string): string => `meeting:${meetingId}`
const followersRoom = (meetingId: string): string => `followers:${meetingId}`

function audienceOf(clients: DeliveryNamespace): Audience {
  const followers = (meetingId: string) => clients.to(followersRoom(meetingId))
  return {
    follow: (meetingId, connection) => {
      clients.in(connection).socketsJoin(followersRoom(meetingId))
    },
    entry: (meetingId, notice) => {
      followers(meetingId).emit('entry', notice)
    },
    waiting: (meetingId, notice) => {
      followers(meetingId).emit('waiting', notice)
    },
    present: (meetingId, notice) => {
      followers(meetingId).emit('present', notice)
    },
    welcome: (connection, notice) => {
      clients.to(connection).emit('welcome', notice)
    },
    closed: (meetingId, notice) => {
      const room = meetingRoom(meetingId)
      clients.to(room).emit('closed', notice)
      for (const id of clients.adapter.rooms.get(room) ?? []) {
        clients.sockets.get(id)?.data.connection.exit()
      }
      clients.in(room).socketsLeave([room, followersRoom(meetingId)])
    },
  }
}
