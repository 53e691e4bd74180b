import { join } from 'node:path'
import { SecureMeeting, SessionError, type SessionStore } from '@conclave/client'
import { fileStore } from '@conclave/client/node'
import { ConclaveError } from '@conclave/core'
import { HmacAccessKey, mintToken } from '@conclave/core/access'
import { systemClock } from '@conclave/keyserver'
import { connectServer } from '../../client-sdk/src/edge/serverConnection.ts'
import { socketTransport } from '../../client-sdk/src/edge/socketTransport.ts'
import { type ProviderName, providers } from '../bench/contestants.ts'
import { systemRandom } from '../bench/people.ts'
import { machineTime } from '../servers/child.ts'
import { type Fault, type Installed, RecordingCryptor } from './recordingCryptor.ts'
import { TimedSession, type WonCommit } from './timedSession.ts'

/** Where all clients of a run are. */
export interface MeetingPlace {
  readonly keyserver: string
  readonly meetingId: string
  /** What access tokens are signed with. */
  readonly secret: string
  readonly provider: ProviderName
  /** Milliseconds that anything may take before it counts as stuck. */
  readonly patienceMs: number
  /** By the name of the client that has it. */
  readonly faults: Readonly<Record<string, Fault>>
  /** Where clients keep their state; undefined for in memory. */
  readonly directory?: string | undefined
}

/** What a client has seen, by the machine's time in milliseconds. */
export interface ClientRecord {
  readonly name: string
  /** The leaf that it was given; undefined where it never came in. */
  readonly leaf: number | undefined
  readonly joinCalledAt: number
  readonly waitingAt: number | undefined
  readonly welcomedAt: number | undefined
  readonly leaveCalledAt: number | undefined
  readonly installed: readonly Installed[]
  readonly won: readonly WonCommit[]
  readonly lostAt: readonly number[]
  /** What it did not survive. */
  readonly failed: string | undefined
}

/** A participant with the real SDK and socket, whose media is not there. */
export class LoadClient {
  readonly name: string
  readonly cryptor: RecordingCryptor
  readonly #place: MeetingPlace
  readonly #changed: () => void
  readonly #timed = new TimedSession()
  #meeting: SecureMeeting | undefined
  #leaf: number | undefined
  #joinCalledAt = Number.NaN
  #leaveCalledAt: number | undefined
  #failed: string | undefined

  /** `changed` is called whenever it holds another epoch, or has failed. */
  constructor(name: string, place: MeetingPlace, changed: () => void) {
    this.name = name
    this.#place = place
    this.cryptor = new RecordingCryptor(place.faults[name], () => {
      this.#timed.epochBegan()
      changed()
    })
    this.#changed = changed
  }

  /** Whether it ought to follow the meeting. */
  get isIn(): boolean {
    return this.#meeting !== undefined && this.#leaveCalledAt === undefined
  }

  get failed(): string | undefined {
    return this.#failed
  }

  get leaf(): number | undefined {
    return this.#leaf
  }

  async join(): Promise<void> {
    const { keyserver, meetingId, secret, provider, patienceMs, directory } = this.#place
    const request = { identity: this.name, meeting: meetingId, ttlSeconds: 3600 }
    const token = await mintToken(request, new HmacAccessKey(secret), systemClock)
    this.#joinCalledAt = machineTime()
    try {
      const meeting = await SecureMeeting.join({
        keyserver,
        meetingId,
        token,
        identity: { id: this.name },
        trust: { policy: 'open' },
        joinTimeoutMs: patienceMs,
        ...(directory !== undefined && { store: storeIn(join(directory, this.name)) }),
        clock: this.#timed.clock,
        crypto: providers[provider](systemRandom),
        transport: () => this.#timed.watched(socketTransport(connectServer(keyserver), token)),
        createFrameCryptor: (host) => this.cryptor.within(host),
      })
      this.#meeting = meeting
      this.#leaf = meeting.self.leaf
      meeting.on('ended', (reason, error) => {
        if (reason !== 'left') this.#fail(error ?? reason)
      })
      // The sender is a browser's; the cryptor does not look at it.
      await meeting.protect({} as RTCRtpSender, { source: 'microphone' })
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Has its session commit new keys of its own, as it does within ten minutes anyway. */
  renew(): void {
    this.cryptor.wearOut()
  }

  async leave(): Promise<void> {
    this.#leaveCalledAt = machineTime()
    await this.#meeting?.leave()
  }

  get record(): ClientRecord {
    const { waitingAt, welcomedAt, won, lostAt } = this.#timed
    return {
      name: this.name,
      leaf: this.#leaf,
      joinCalledAt: this.#joinCalledAt,
      waitingAt,
      welcomedAt,
      leaveCalledAt: this.#leaveCalledAt,
      installed: this.cryptor.installed,
      won,
      lostAt,
      failed: this.#failed,
    }
  }

  #fail(error: unknown): void {
    this.#failed ??= reasonOf(error)
    this.#changed()
  }
}

function storeIn(directory: string): SessionStore {
  return fileStore({ directory, key: systemRandom(32) })
}

/** Its code, and what else it has for whoever looks for the reason. */
function reasonOf(error: unknown): string {
  if (!(error instanceof ConclaveError)) return String(error)
  const detail = error instanceof SessionError ? error.detail : undefined
  return detail === undefined ? error.code : `${error.code} (${detail})`
}
