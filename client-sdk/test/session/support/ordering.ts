import type { Clock } from '@conclave/core'
import type { PublicCrypto } from '@conclave/core/crypto/public'
import type { ReplyTo, RequestName, RequestOf, ServerNotices } from '@conclave/core/delivery'
import {
  defaultLimits,
  generateRemovalSigner,
  memoryDirectory,
  memoryStore,
  silentObserver,
  timerJobs,
} from '@conclave/keyserver'
import { pino } from 'pino'
import { Admissions } from '../../../../keyserver/src/connection/admissions.ts'
import { Connection } from '../../../../keyserver/src/connection/connection.ts'
import { createDirectory } from '../../../../keyserver/src/directory/createDirectory.ts'
import type { Audience } from '../../../../keyserver/src/ordering/audience.ts'
import { Meetings } from '../../../../keyserver/src/ordering/meetings.ts'
import { checked, noticeSchemas, replySchemas } from '../../../src/edge/serverMessages.ts'
import { systemRandom } from '../../../src/index.ts'
import { counted } from './census.ts'
import { type AnyNotice, Port } from './port.ts'

interface Socket {
  readonly port: Port
  readonly connection: Connection
  entered: string | undefined
  minor: number
  follows: boolean
}

/** How long a member may be without a connection, in milliseconds. */
export const graceMs = 10_000

/** The keyserver itself, without a network, for sessions on a test's clock. */
export class Ordering {
  readonly meetingId = 'standup'
  readonly ports: Port[] = []
  readonly #clock: Clock
  readonly #sockets = new Map<string, Socket>()
  readonly #crypto: PublicCrypto
  readonly #logger = pino({ level: 'silent' })
  readonly #made: Promise<{ meetings: Meetings; stop: () => Promise<void> }>
  #connections = 0

  constructor(clock: Clock, crypto: PublicCrypto) {
    this.#clock = clock
    this.#crypto = crypto
    this.#made = counted(this.#make())
  }

  port(): Port {
    const port = new Port(this)
    this.ports.push(port)
    return port
  }

  async handle<N extends RequestName>(
    port: Port,
    name: N,
    request: RequestOf<N>,
  ): Promise<ReplyTo<N>> {
    const { meetings } = await this.#made
    const socket = this.#socketOf(port) ?? this.#accept(port, meetings)
    const reply = await new Promise((resolve) => {
      void counted(socket.connection.receive(name, [request, resolve]))
    })
    if (name === 'enter' && typeof reply === 'object' && reply !== null && 'nonce' in reply) {
      port.entered = true
    }
    return checked(replySchemas[name], reply) as ReplyTo<N>
  }

  async forget(port: Port): Promise<void> {
    const socket = this.#socketOf(port)
    if (socket === undefined) return
    this.#sockets.delete(idOf(socket, this.#sockets))
    await counted(socket.connection.closed())
  }

  async close(): Promise<void> {
    const { meetings, stop } = await this.#made
    await meetings.close('shutdown')
    await stop()
  }

  async #make() {
    const clock = this.#clock
    const logger = this.#logger
    const jobs = timerJobs({ clock, logger })
    const meetings = new Meetings({
      store: memoryStore(),
      crypto: this.#crypto,
      removalSigner: await generateRemovalSigner(globalThis.crypto.subtle),
      clock,
      audience: this.#audience(),
      jobs,
      observer: silentObserver,
      instance: 'the only one',
      limits: defaultLimits,
      graceMs,
      idleMs: 20 * 60_000,
      meetingMs: 24 * 60 * 60_000,
      logger,
    })
    await jobs.start({
      'check-group': ({ meetingId, groupId }) =>
        counted(meetings.visit(meetingId, (meeting) => meeting.check(groupId))),
      'sweep-directory': async () => {},
      webhook: async () => {},
    })
    return { meetings, stop: () => jobs.close() }
  }

  #accept(port: Port, meetings: Meetings): Socket {
    this.#connections += 1
    const id = `${this.#connections}`
    const clock = this.#clock
    const connection = new Connection({
      id,
      claims: {
        identity: port.identity,
        meeting: '*',
        grants: { join: true, invite: true, remove: true },
        expiresAt: Number.MAX_SAFE_INTEGER,
      },
      meetings,
      directory: createDirectory({
        store: memoryDirectory(),
        crypto: this.#crypto,
        clock,
        logger: this.#logger,
        notify: { stockLow: () => {}, mail: () => {} },
      }).handlers,
      admissions: new Admissions({ limits: defaultLimits, trustedProxies: 0, clock }),
      observer: silentObserver,
      limits: defaultLimits,
      clock,
      random: systemRandom,
      logger: this.#logger,
      entered: (meetingId, minor) => {
        socket.entered = meetingId
        socket.minor = minor
      },
      directoryUsed: () => {},
      disconnect: () => port.drop(),
    })
    const socket: Socket = { port, connection, entered: undefined, minor: 0, follows: false }
    this.#sockets.set(id, socket)
    return socket
  }

  #socketOf(port: Port): Socket | undefined {
    return [...this.#sockets.values()].find((socket) => socket.port === port)
  }

  #audience(): Audience {
    const followers =
      <N extends keyof ServerNotices>(name: N) =>
      (meetingId: string, notice: unknown, but?: unknown) => {
        for (const [id, socket] of this.#sockets) {
          if (socket.entered !== meetingId || !socket.follows || id === but) continue
          tell(socket, name, notice)
        }
      }
    return {
      follow: (_, id) => {
        const socket = this.#sockets.get(id)
        if (socket !== undefined) socket.follows = true
      },
      entry: followers('entry'),
      waiting: (meetingId, notice) => followers('waiting')(meetingId, notice),
      present: followers('present'),
      statusWanted: followers('statusWanted'),
      offered: followers('offered'),
      message: followers('message'),
      welcome: (id, notice) => {
        const socket = this.#sockets.get(id)
        if (socket !== undefined) tell(socket, 'welcome', notice)
      },
      continued: (meetingId, notice) => {
        for (const socket of this.#sockets.values()) {
          if (socket.entered !== meetingId) continue
          tell(socket, 'continued', notice)
          socket.follows = false
        }
      },
      closed: (meetingId, notice) => {
        for (const socket of this.#sockets.values()) {
          if (socket.entered !== meetingId) continue
          tell(socket, 'closed', notice)
          socket.connection.exit()
          socket.entered = undefined
          socket.follows = false
          socket.port.entered = false
        }
      },
    }
  }
}

/** What is sent arrives later, like everything. */
function tell<N extends keyof ServerNotices>({ port }: Socket, name: N, notice: unknown): void {
  const known = checked(noticeSchemas[name], notice)
  if (known === undefined) throw new Error(`a malformed notice: ${name}`)
  queueMicrotask(() => port.deliver({ name, notice: known } as AnyNotice))
}

function idOf(socket: Socket, sockets: ReadonlyMap<string, Socket>): string {
  for (const [id, each] of sockets) if (each === socket) return id
  throw new Error('no such connection')
}
