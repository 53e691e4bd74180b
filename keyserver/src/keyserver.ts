import type { Clock, RandomBytes } from '@conclave/core'
import type { TokenVerifier } from '@conclave/core/access'
import { toHex } from '@conclave/core/codec'
import { type PublicCrypto, rememberingPublicCrypto } from '@conclave/core/crypto/public'
import { deliveryNamespace } from '@conclave/core/delivery'
import type { Logger } from 'pino'
import { Server, type ServerOptions } from 'socket.io'
import type { Administration } from './administration.ts'
import { Admissions } from './connection/admissions.ts'
import { admitClients } from './connection/admitClients.ts'
import { ConnectRefusal } from './connection/authenticate.ts'
import { Connection, type ConnectionOptions } from './connection/connection.ts'
import type { DeliveryNamespace, DeliverySocket } from './connection/deliverySocket.ts'
import { disconnectInTurn } from './connection/disconnectInTurn.ts'
import { cutOversizedPackets } from './connection/packetSize.ts'
import { cutSlowConsumer } from './connection/slowConsumer.ts'
import {
  endingRoom,
  firstMinorRoom,
  identityRoom,
  meetingRoom,
  socketAudience,
  wordlessRoom,
} from './connection/socketAudience.ts'
import { createDirectory } from './directory/createDirectory.ts'
import type { DirectoryStore } from './directory/directory.ts'
import { memoryDirectory } from './directory/memoryDirectory.ts'
import type { Jobs, WebhookEvent } from './jobs/jobs.ts'
import { timerJobs } from './jobs/timerJobs.ts'
import {
  defaultHeartbeatMs,
  defaultIdleMs,
  defaultLimits,
  defaultMeetingMs,
  type KeyserverLimits,
  maxPacketBytes,
} from './limits.ts'
import { type KeyserverObserver, observers, silentObserver } from './observer.ts'
import { administer } from './ordering/meetingAdministration.ts'
import { Meetings } from './ordering/meetings.ts'
import type { RemovalSigner } from './removalSigner.ts'
import type { Store } from './store/store.ts'
import { StoreError } from './store/storeError.ts'

type HttpServer = Parameters<Server['attach']>[0]

export interface KeyserverOptions {
  /** Listening already or not; whoever made it closes it, after the keyserver. */
  readonly httpServer: HttpServer
  /** HTTP path of socket.io; a client that is given `https://host/prefix` uses `/prefix/socket.io`. */
  readonly path?: string
  readonly access: { readonly verifier: TokenVerifier }
  /** Shared by all instances of the keyserver, or this one's own. */
  readonly store: Store
  /** How instances of one store reach each other's sockets: a socket.io adapter. */
  readonly adapter?: ServerOptions['adapter']
  /** Work that is due later; on this process's timers where not given. */
  readonly jobs?: Jobs
  /** KeyPackages of people who are away; in this process's memory where not given. */
  readonly directoryStore?: DirectoryStore
  /** Tells the app's backend; nobody is told where not given. */
  readonly deliverWebhook?: (event: WebhookEvent) => Promise<void>
  readonly observer?: KeyserverObserver
  readonly removalSigner: RemovalSigner
  readonly crypto: PublicCrypto
  readonly clock: Clock
  readonly random: RandomBytes
  readonly logger: Logger
  /**
   * A connection is asked for a sign of life so often, in milliseconds, and cut if none comes for as
   * long again: 10 s.
   */
  readonly heartbeatMs?: number
  /** How long a member may be without a connection before its removal is proposed: 10 s. */
  readonly graceMs?: number
  /** How long a member may go without renewing its keys, in milliseconds: 30 minutes. */
  readonly idleMs?: number
  /** How long a meeting may last, in milliseconds: a day. */
  readonly meetingMs?: number
  readonly limits?: Partial<KeyserverLimits>
  /** How many proxies stand before it, each of which appends to `X-Forwarded-For`: none. */
  readonly trustedProxies?: number
}

/** What the keyserver is doing, for health checks. */
export interface KeyserverHealth {
  readonly status: 'ok'
  readonly connections: number
  readonly meetings: number
}

export interface Keyserver {
  /** Fulfilled once due work is taken up; rejected where that cannot be. */
  readonly started: Promise<void>
  readonly administration: Administration
  health(): KeyserverHealth
  /**
   * Tells every client, then closes connections, jobs, directory and store.
   *
   * @param options `spreadMs`: where other instances go on, connections are cut over so long, so
   *   that their clients do not all come there at once
   */
  close(options?: { readonly spreadMs?: number }): Promise<void>
}

export const defaultPath = '/socket.io'
export const defaultGraceMs = 10_000

/** Random bytes in the name of an instance. */
const instanceIdBytes = 8
/** How long clients may take to read the last that they are told. */
const partingMs = 1_000
/** How long a connected client may take until it has presented its token. */
const connectTimeout = 10_000

/** Three for each KeyPackage, for some thousands that wait at a time: about two megabytes. */
const rememberedSignatures = 2 ** 14

/**
 * Serves the delivery protocol (PROTOCOL.md) on the socket.io namespace `/delivery`: orders the
 * messages of each meeting's group, and notices who is gone. It holds no key of any group.
 */
export function createKeyserver(options: KeyserverOptions): Keyserver {
  const { httpServer, access, store, removalSigner, clock, random, logger } = options
  // A KeyPackage that waits comes again in the commit that adds it, while everyone waits for that.
  const crypto = rememberingPublicCrypto(options.crypto, rememberedSignatures)
  const limits = { ...defaultLimits, ...options.limits }
  const { jobs = timerJobs({ clock, logger }), deliverWebhook } = options
  const { heartbeatMs = defaultHeartbeatMs } = options
  const io = new Server(httpServer, {
    path: options.path ?? defaultPath,
    serveClient: false,
    transports: ['websocket'],
    maxHttpBufferSize: maxPacketBytes,
    pingInterval: heartbeatMs,
    pingTimeout: heartbeatMs,
    connectTimeout,
    ...(options.adapter !== undefined && { adapter: options.adapter }),
  })
  const clients: DeliveryNamespace = io.of(deliveryNamespace)
  const directory = createDirectory({
    store: options.directoryStore ?? memoryDirectory(),
    crypto,
    clock,
    logger,
    notify: {
      stockLow: (identity, notice) => clients.to(identityRoom(identity)).emit('stockLow', notice),
      mail: (identity, notice) => clients.to(identityRoom(identity)).emit('mail', notice),
    },
  })
  const observer = observers(options.observer ?? silentObserver, directory.observer)
  const meetings: Meetings = new Meetings({
    store,
    crypto,
    removalSigner,
    clock,
    audience: socketAudience(clients, options.adapter !== undefined, (meetingId, groupId) =>
      meetings.hasGoneOn(meetingId, groupId),
    ),
    jobs,
    observer,
    instance: toHex(random(instanceIdBytes)),
    limits,
    graceMs: options.graceMs ?? defaultGraceMs,
    idleMs: options.idleMs ?? defaultIdleMs,
    meetingMs: options.meetingMs ?? defaultMeetingMs,
    logger,
  })
  const started = jobs.start({
    'check-group': ({ meetingId, groupId }) =>
      meetings.visit(meetingId, (meeting) => meeting.check(groupId)),
    'sweep-directory': async () => {
      await directory.sweep()
    },
    webhook: async ({ event }) => deliverWebhook?.(event),
  })
  started.catch((error: unknown) => logger.error({ err: error }, 'due work is not taken up'))

  // Before anybody has shown a token.
  io.engine.on('connection', (connection: DeliverySocket['conn']) =>
    cutOversizedPackets(connection, maxPacketBytes, () => observer.cut('malformed')),
  )
  // socket.io opens "/" to whoever connects.
  io.use((_socket, next) => next(new ConnectRefusal('unknown-namespace', 'nothing is served here')))
  const admissions = new Admissions({ limits, trustedProxies: options.trustedProxies ?? 0, clock })
  admitClients(io, clients, { verifier: access.verifier, admissions, limits, observer, logger })
  clients.on('connection', (socket) => {
    const { handlers } = directory
    const shared = { meetings, directory: handlers, admissions, observer, limits, clock, random }
    serve(socket, { ...shared, logger })
  })

  return {
    started,
    administration: administer(meetings, store),
    health: () => ({
      status: 'ok',
      connections: clients.sockets.size,
      meetings: meetings.size,
    }),
    async close({ spreadMs = 0 } = {}) {
      if (!store.shared) await meetings.close('shutdown')
      const sockets = [...clients.sockets.values()]
      const gone = sockets.map(({ conn }) => closed(conn))
      if (store.shared && spreadMs > 0) await disconnectInTurn(sockets, spreadMs, clock)
      clients.local.disconnectSockets(true)
      await atMost(partingMs, Promise.all(gone), clock)
      // Other instances hear from the store who has gone from here.
      const left = sockets.map(({ data }) => data.connection?.whenLeft())
      await atMost(partingMs, Promise.all(left), clock)
      await meetings.close('shutdown')
      await jobs.close()
      // The HTTP server is not ours to close, as `io.close()` would.
      await Promise.all([clients, io.of('/')].map(({ adapter }) => adapter.close()))
      io.engine.close()
      await directory.close()
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
  shared: Omit<ConnectionOptions, 'id' | 'claims' | 'entered' | 'directoryUsed' | 'disconnect'>,
): void {
  const logger = shared.logger.child({ connection: socket.id })
  const { claims } = socket.data
  const { identity } = claims
  const connection = new Connection({
    ...shared,
    logger,
    id: socket.id,
    claims,
    entered: (meetingId, minor) => {
      // Rooms of a socket that is gone would never be left.
      if (!socket.connected) return
      const versioned = minor === 0 ? firstMinorRoom : identityRoom(identity)
      const rooms = [meetingRoom(meetingId), versioned]
      if (minor < 2) rooms.push(wordlessRoom)
      if (minor < 4) rooms.push(endingRoom)
      void socket.join(rooms)
    },
    directoryUsed: () => void socket.join(identityRoom(identity)),
    disconnect: () => socket.disconnect(true),
  })
  cutSlowConsumer(socket.conn, shared.limits.unsentBytes, () => {
    logger.info({ reason: 'slow-consumer' }, 'cut')
    shared.observer.cut('slow-consumer')
  })
  socket.data.connection = connection
  const failed = (error: unknown): void => {
    if (error instanceof StoreError) logger.warn({ code: error.code }, 'a connection met no store')
    else logger.error({ err: error }, 'a connection failed')
  }
  socket.onAny((event: string, ...args: unknown[]) => {
    connection.receive(event, args).catch(failed)
  })
  socket.on('disconnect', (reason) => {
    logger.debug({ reason }, 'disconnected')
    connection.closed().catch(failed)
  })
}
