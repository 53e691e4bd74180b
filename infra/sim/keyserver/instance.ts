import type { Clock } from '@conclave/core'
import type { AccessClaims } from '@conclave/core/access'
import type { PublicCrypto } from '@conclave/core/crypto/public'
import type { PackedReply, RequestName, ServerNotices } from '@conclave/core/delivery'
import type { RemovalSigner, Store } from '@conclave/keyserver'
import { defaultLimits, observers, silentObserver } from '@conclave/keyserver'
import type { Logger } from 'pino'
import { Admissions } from '../../../keyserver/src/connection/admissions.ts'
import { Connection } from '../../../keyserver/src/connection/connection.ts'
import { createDirectory } from '../../../keyserver/src/directory/createDirectory.ts'
import type { DirectoryStore } from '../../../keyserver/src/directory/directory.ts'
import type { DirectoryHandlers } from '../../../keyserver/src/directory/handlers.ts'
import type { Job, Jobs } from '../../../keyserver/src/jobs/jobs.ts'
import { defaultIdleMs, defaultMeetingMs } from '../../../keyserver/src/limits.ts'
import type { Audience, Reach } from '../../../keyserver/src/ordering/audience.ts'
import { Meetings } from '../../../keyserver/src/ordering/meetings.ts'
import type { Chance } from '../chance.ts'
import { randomBytesOf } from '../chance.ts'
import { GuardedClock } from '../guardedClock.ts'
import type { Wire } from '../network/wire.ts'
import { instanceStore } from './instanceStore.ts'

/** What instances of one keyserver have in common. */
export interface Shared {
  readonly clock: Clock
  readonly store: Store
  readonly directory: DirectoryStore
  readonly jobs: Jobs
  readonly crypto: PublicCrypto
  readonly removalSigner: RemovalSigner
  readonly logger: Logger
  /** How long a member may be without a connection, in milliseconds. */
  readonly graceMs: number
  isStoreOut(): boolean
  isStoreSlow(chance: Chance): boolean
  met(kind: string, fault: string): void
  /** Brings news to the other instances, which each take them up in their turn. */
  tellOthers(from: Instance, kind: string, news: (to: Instance) => void): void
  refused(request: string, code: string, detail: string | undefined): void
}

type NoticeName = keyof ServerNotices

interface Socket {
  readonly wire: Wire
  readonly connection: Connection
  readonly notify: (name: NoticeName, notice: unknown) => void
  readonly identity: string
  entered: string | undefined
  follows: boolean
  usesDirectory: boolean
}

/**
 * One instance of the keyserver: what createKeyserver makes of the ordering, the connections and
 * the directory, with wires in the place of socket.io.
 */
export class Instance {
  readonly name: string
  readonly #shared: Shared
  readonly #clock: GuardedClock
  readonly #meetings: Meetings
  readonly #admissions: Admissions
  readonly #directory: DirectoryHandlers
  readonly #random: (length: number) => Uint8Array<ArrayBuffer>
  readonly #sockets = new Map<string, Socket>()
  #alive = true

  constructor(name: string, shared: Shared, chance: Chance) {
    this.name = name
    this.#shared = shared
    this.#clock = new GuardedClock(shared.clock)
    this.#random = randomBytesOf('instance', name, chance.whole(0, 2 ** 30))
    const { crypto, logger, jobs, removalSigner } = shared
    const clock = this.#clock
    const store = instanceStore(shared.store, {
      clock: shared.clock,
      chance,
      isAlive: () => this.#alive,
      isOut: () => shared.isStoreOut(),
      isSlow: () => shared.isStoreSlow(chance),
      met: shared.met,
    })
    const directory = createDirectory({
      store: shared.directory,
      crypto,
      clock,
      logger,
      notify: {
        stockLow: (identity, notice) => this.#tellIdentity(identity, 'stockLow', notice),
        mail: (identity, notice) => this.#tellIdentity(identity, 'mail', notice),
      },
    })
    this.#directory = directory.handlers
    this.#admissions = new Admissions({ limits: defaultLimits, trustedProxies: 0, clock })
    this.#meetings = new Meetings({
      store,
      crypto,
      removalSigner,
      clock,
      audience: this.#audience(),
      jobs,
      observer: observers({ ...silentObserver, refused: shared.refused }, directory.observer),
      instance: name,
      limits: defaultLimits,
      graceMs: shared.graceMs,
      idleMs: defaultIdleMs,
      meetingMs: defaultMeetingMs,
      logger,
    })
  }

  get isAlive(): boolean {
    return this.#alive
  }
  /** Connections that it has. */
  get connections(): number {
    return this.#sockets.size
  }

  /** A client has connected. */
  accept(id: string, identity: string, wire: Wire, notify: Socket['notify']): void {
    const claims: AccessClaims = {
      identity,
      meeting: '*',
      grants: { join: true, invite: true },
      expiresAt: Number.MAX_SAFE_INTEGER,
    }
    const connection = new Connection({
      id,
      claims,
      meetings: this.#meetings,
      directory: this.#directory,
      admissions: this.#admissions,
      observer: { ...silentObserver, refused: this.#shared.refused },
      limits: defaultLimits,
      clock: this.#clock,
      random: this.#random,
      logger: this.#shared.logger,
      entered: (meetingId) => {
        socket.entered = meetingId
      },
      directoryUsed: () => {
        socket.usesDirectory = true
      },
      disconnect: () => {
        wire.close('server')
        this.#gone(id)
      },
    })
    const socket: Socket = {
      wire,
      connection,
      notify,
      identity,
      entered: undefined,
      follows: false,
      usesDirectory: false,
    }
    this.#sockets.set(id, socket)
    wire.whenGone('server', () => this.#gone(id))
  }

  request(
    id: string,
    name: RequestName,
    payload: unknown,
    answer: (reply: PackedReply<object>) => void,
  ): void {
    const socket = this.#sockets.get(id)
    if (!this.#alive || socket === undefined) return
    const answerIfAlive = (reply: PackedReply<object>) => {
      if (this.#alive) answer(reply)
    }
    socket.connection.receive(name, [payload, answerIfAlive]).catch((error: unknown) => {
      this.#shared.logger.error({ err: error }, 'a connection failed')
    })
  }

  async check({ meetingId, groupId }: Extract<Job, { kind: 'check-group' }>): Promise<void> {
    await this.#meetings.visit(meetingId, (meeting) => meeting.check(groupId))
  }

  /** The process ends without a word. */
  die(): void {
    this.#alive = false
    this.#clock.end()
    this.#sockets.clear()
  }

  #gone(id: string): void {
    const socket = this.#sockets.get(id)
    this.#sockets.delete(id)
    if (!this.#alive || socket === undefined) return
    socket.connection.closed().catch((error: unknown) => {
      this.#shared.logger.warn({ err: error }, 'a connection met no store')
    })
  }

  /** As connection/socketAudience.ts does it with socket.io's rooms. */
  #audience(): Audience {
    const followers =
      <N extends 'entry' | 'waiting' | 'present'>(name: N) =>
      (meetingId: string, notice: unknown, { here = false }: Reach = {}) => {
        this.#tellFollowers(meetingId, name, notice)
        if (here) return
        this.#shared.tellOthers(this, name, (to) => to.#tellFollowers(meetingId, name, notice))
      }
    return {
      follow: (_, connection) => {
        const socket = this.#sockets.get(connection)
        if (socket !== undefined) socket.follows = true
      },
      entry: followers('entry'),
      waiting: (meetingId, notice, _, reach) => followers('waiting')(meetingId, notice, reach),
      present: followers('present'),
      statusWanted: (meetingId, notice) => {
        this.#tellFollowers(meetingId, 'statusWanted', notice)
        this.#shared.tellOthers(this, 'statusWanted', (to) =>
          to.#tellFollowers(meetingId, 'statusWanted', notice),
        )
      },
      message: (meetingId, notice, from) => {
        this.#tellFollowers(meetingId, 'message', notice, from)
        this.#shared.tellOthers(this, 'message', (to) =>
          to.#tellFollowers(meetingId, 'message', notice, from),
        )
      },
      offered: (meetingId, notice) => {
        this.#tellFollowers(meetingId, 'offered', notice)
        this.#shared.tellOthers(this, 'offered', (to) =>
          to.#tellFollowers(meetingId, 'offered', notice),
        )
      },
      welcome: (connection, notice) => {
        const own = this.#sockets.get(connection)
        if (own !== undefined) return own.notify('welcome', notice)
        this.#shared.tellOthers(this, 'welcome', (to) =>
          to.#sockets.get(connection)?.notify('welcome', notice),
        )
      },
      continued: (meetingId, notice, { here = false } = {}) => {
        this.#continueHere(meetingId, notice)
        if (here) return
        this.#shared.tellOthers(this, 'continued', (to) => {
          if (to.#meetings.hasGoneOn(meetingId, notice.groupId)) return
          to.#continueHere(meetingId, notice)
        })
      },
      closed: (meetingId, notice, { here = false } = {}) => {
        this.#closeHere(meetingId, notice)
        if (here) return
        this.#shared.tellOthers(this, 'closed', (to) => {
          if (!to.#meetings.hasGoneOn(meetingId, notice.groupId)) to.#closeHere(meetingId, notice)
        })
      },
    }
  }

  #tellFollowers(meetingId: string, name: NoticeName, notice: unknown, but?: string): void {
    for (const [connection, socket] of this.#sockets) {
      if (connection === but) continue
      if (socket.entered === meetingId && socket.follows) socket.notify(name, notice)
    }
  }

  #tellIdentity(identity: string, name: 'stockLow' | 'mail', notice: unknown): void {
    const tell = (instance: Instance) => {
      for (const socket of instance.#sockets.values()) {
        if (socket.usesDirectory && socket.identity === identity) socket.notify(name, notice)
      }
    }
    tell(this)
    this.#shared.tellOthers(this, name, tell)
  }

  #continueHere(meetingId: string, notice: ServerNotices['continued']): void {
    for (const socket of this.#sockets.values()) {
      if (socket.entered !== meetingId) continue
      socket.notify('continued', notice)
      socket.follows = false
    }
  }

  #closeHere(meetingId: string, notice: ServerNotices['closed']): void {
    for (const socket of this.#sockets.values()) {
      if (socket.entered !== meetingId) continue
      socket.notify('closed', notice)
      socket.connection.exit()
      socket.entered = undefined
      socket.follows = false
    }
  }
}
