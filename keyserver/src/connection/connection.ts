import type { Clock, RandomBytes } from '@conclave/core'
import {
  type AccessClaims,
  AccessError,
  type Grant,
  requireGrant,
  requireMeeting,
} from '@conclave/core/access'
import {
  type PackedReply,
  protocolMinor,
  protocolVersion,
  type RefusalCode,
  type RequestName,
  type RequestOf,
} from '@conclave/core/delivery'
import type { Logger } from 'pino'
import type { DirectoryHandlers, DirectoryRequestName } from '../directory/handlers.ts'
import { bytesPerMessage, commitBytesPerRequest, type KeyserverLimits } from '../limits.ts'
import type { KeyserverObserver } from '../observer.ts'
import type { Participant } from '../ordering/audience.ts'
import type { Meeting, MeetingHandlers, MeetingRequestName } from '../ordering/meeting.ts'
import type { Meetings } from '../ordering/meetings.ts'
import { type PackedRefusal, refuse } from '../ordering/orderingError.ts'
import { StoreError } from '../store/storeError.ts'
import type { Admissions, Release } from './admissions.ts'
import { callAt } from './callAt.ts'
import { isRequestName, parseRequest } from './requestSchemas.ts'
import { TokenBucket } from './tokenBucket.ts'

export interface ConnectionOptions {
  readonly id: string
  readonly claims: AccessClaims
  readonly meetings: Meetings
  readonly directory: DirectoryHandlers
  readonly admissions: Admissions
  readonly observer: KeyserverObserver
  readonly limits: KeyserverLimits
  readonly clock: Clock
  readonly random: RandomBytes
  readonly logger: Logger
  /** Called when the connection has entered a meeting, before it is told; `minor` is the client's. */
  readonly entered: (meetingId: string, minor: number) => void
  /** Called before the first request to the directory: such a client is of minor version 1. */
  readonly directoryUsed: () => void
  readonly disconnect: () => void
}

interface Entered {
  readonly meetingId: string
  readonly meeting: Meeting
  readonly participant: Participant
  /** Gives back the connection's place in the meeting. */
  readonly release: Release
}

type Answer = (reply: PackedReply<object>) => void

/** Length of the nonce that `attach` signs, in bytes. */
const nonceBytes = 16

/** Refusals of a commit that its sender could have known of, and that took its verification. */
const verifiedInVain: ReadonlySet<RefusalCode> = new Set([
  'message-invalid',
  'rate-limited',
  'reinit-unready',
])

/** Requests that need no meeting, and the grant beside `join` that each takes. */
const directoryGrants = {
  publish: undefined,
  stock: undefined,
  claim: 'invite',
  mailbox: undefined,
  collect: undefined,
} as const satisfies Record<DirectoryRequestName, Grant | undefined>

/**
 * One client's connection: checks what it sends before anything acts on it. Every request is
 * answered once; what cannot be answered ends the connection.
 */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #bucket: TokenBucket
  readonly #messages: TokenBucket
  readonly #cancelExpiry: () => void
  #entered: Entered | undefined
  #left: Promise<void> = Promise.resolve()
  #gone = false
  #pending = 0
  #refusedInARow = 0
  #usesDirectory = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { clock, limits, claims } = options
    this.#bucket = new TokenBucket(clock, limits.requestsPerSecond, limits.requestBurst)
    this.#messages = new TokenBucket(clock, limits.messagesPerSecond, limits.messageBurst)
    this.#cancelExpiry = callAt(clock, claims.expiresAt, () => this.#cut('token-expired'))
  }

  /** @param args what came with the event: from a good client, a payload and an acknowledgement */
  async receive(event: string, args: readonly unknown[]): Promise<void> {
    // What came together with the end is handed over after it; nobody would leave what it enters.
    if (this.#gone) return
    const acknowledge = args.at(-1)
    if (typeof acknowledge !== 'function') {
      this.#cut('malformed')
      return
    }
    const request = isRequestName(event) ? event : undefined
    const answer: Answer = (reply) => {
      if (!reply.ok) {
        const { code, detail } = reply
        const { logger, observer } = this.#options
        observer.refused(request ?? 'unknown', code, detail)
        logger.debug({ meeting: this.#entered?.meetingId, request, code, detail })
      }
      acknowledge(reply)
    }
    if (!this.#admit()) {
      answer(refuse('rate-limited', 'too many requests'))
    } else if (request === undefined || args.length !== 2) {
      answer(refuse('request-malformed', 'no such request'))
    } else {
      this.#pending += 1
      try {
        if (request === 'enter') await this.#enter(args[0], answer)
        else if (isDirectoryRequest(request)) await this.#askDirectory(request, args[0], answer)
        else await this.#ask(request, args[0], answer)
      } finally {
        this.#pending -= 1
      }
    }
  }

  /** The meeting's group has ended: the connection may enter again. */
  exit(): void {
    const entered = this.#entered
    this.#entered = undefined
    if (entered === undefined) return
    entered.release()
    this.#options.meetings.leave(entered.meetingId)
  }

  /** The client is gone. */
  async closed(): Promise<void> {
    this.#gone = true
    this.#cancelExpiry()
    const entered = this.#entered
    if (entered === undefined) return
    const { meeting, participant } = entered
    this.#left = meeting.lane.run(() => meeting.leave(participant))
    try {
      await this.#left
    } finally {
      if (this.#entered === entered) this.exit()
    }
  }

  /** Settles once the meeting knows that the client is gone. */
  async whenLeft(): Promise<void> {
    await this.#left.catch(() => {})
  }

  #cut(reason: 'malformed' | 'rate-limited' | 'token-expired'): void {
    const { logger, observer, disconnect } = this.#options
    logger.info({ meeting: this.#entered?.meetingId, reason }, 'cut')
    observer.cut(reason)
    disconnect()
  }

  /** A client that goes on after a burst of refusals is cut. */
  #admit(): boolean {
    const { limits, admissions, claims } = this.#options
    if (
      this.#pending < limits.pendingRequests &&
      this.#bucket.take() &&
      admissions.requestsOf(claims.identity).take()
    ) {
      this.#refusedInARow = 0
      return true
    }
    this.#refusedInARow += 1
    if (this.#refusedInARow === limits.requestBurst + 1) this.#cut('rate-limited')
    return false
  }

  async #enter(payload: unknown, answer: Answer): Promise<void> {
    const parsed = parseRequest('enter', payload)
    if (!parsed.ok) return answer(parsed)
    const { protocol, minor = 0, meetingId } = parsed.request
    if (protocol !== protocolVersion) {
      return answer(refuse('protocol-unsupported', `this is protocol ${protocolVersion}`))
    }
    if (this.#entered !== undefined) {
      return answer(refuse('already-entered', 'a connection is in one meeting'))
    }
    const { id, meetings, admissions, random } = this.#options
    const forbidden = this.#forbids((claims) => requireMeeting(claims, meetingId))
    if (forbidden !== undefined) return answer(forbidden)
    const release = admissions.enter(meetingId)
    if (release === undefined) {
      return answer(refuse('rate-limited', 'too many connections in this meeting'))
    }
    const meeting = meetings.enter(meetingId)
    const { identity } = this.#options.claims
    const participant = { id, identity, nonce: random(nonceBytes) }
    const entered = { meetingId, meeting, participant, release }
    // From here on, before the answer, requests that follow this one find the meeting.
    this.#entered = entered
    const answerEnter: Answer = (reply) => {
      // Nothing has been entered, and it can be tried again.
      if (!reply.ok && this.#entered === entered) this.exit()
      answer(reply)
    }
    await this.#inLane('enter', entered, answerEnter, async () => {
      const reply = await meeting.enter(participant)
      this.#options.entered(meetingId, minor)
      return { ...reply, minor: protocolMinor }
    })
  }

  async #askDirectory<N extends DirectoryRequestName>(
    name: N,
    payload: unknown,
    answer: Answer,
  ): Promise<void> {
    const parsed = parseRequest(name, payload)
    if (!parsed.ok) return answer(parsed)
    const { claims, directory, directoryUsed } = this.#options
    const grant = directoryGrants[name]
    const forbidden = grant && this.#forbids(() => requireGrant(claims, grant))
    if (forbidden !== undefined) return answer(forbidden)
    if (!this.#usesDirectory) directoryUsed()
    this.#usesDirectory = true
    const handlers: DirectoryHandlers = directory
    answer(await this.#outcome(name, () => handlers[name](claims, parsed.request)))
  }

  async #ask<N extends MeetingRequestName>(
    name: N,
    payload: unknown,
    answer: Answer,
  ): Promise<void> {
    const parsed = parseRequest(name, payload)
    if (!parsed.ok) return answer(parsed)
    const entered = this.#entered
    if (entered === undefined) return answer(notEntered())
    const forbidden = name === 'remove' ? this.#forbids(requireRemoving) : undefined
    if (forbidden !== undefined) return answer(forbidden)
    if (name === 'send' && !this.#mayPass(parsed.request as RequestOf<'send'>, entered)) {
      return answer(refuse('rate-limited', 'too many messages'))
    }
    const handlers: MeetingHandlers = entered.meeting
    const priced =
      name === 'commit' ? this.#priced(parsed.request as RequestOf<'commit'>, answer) : answer
    const refused = await entered.meeting.turnOf(name, parsed.request)
    if (refused !== undefined) return priced(refused)
    await this.#inLane(name, entered, priced, () =>
      handlers[name](entered.participant, parsed.request),
    )
  }

  /** Whether one more message may go to everybody in the meeting, which it costs. */
  #mayPass({ message }: RequestOf<'send'>, { meetingId }: Entered): boolean {
    const rates = [this.#messages, this.#options.admissions.messagesIn(meetingId)]
    if (!rates.every((rate) => rate.take())) return false
    for (const rate of rates) rate.spend(Math.floor(message.length / bytesPerMessage))
    return true
  }

  /** Takes a commit's price, and gives it back unless the commit is refused for what it is. */
  #priced({ message, welcome, groupInfo }: RequestOf<'commit'>, answer: Answer): Answer {
    const { admissions, claims } = this.#options
    const bytes = message.length + (welcome?.length ?? 0) + groupInfo.length
    const price = Math.floor(bytes / commitBytesPerRequest)
    const rates = [this.#bucket, admissions.requestsOf(claims.identity)]
    for (const rate of rates) rate.spend(price)
    return (reply) => {
      const isAtFault = !reply.ok && verifiedInVain.has(reply.code)
      if (!isAtFault) for (const rate of rates) rate.giveBack(price)
      answer(reply)
    }
  }

  /** The answer is given inside the lane, so that no later notice overtakes it. */
  async #inLane(
    request: RequestName,
    entered: Entered,
    answer: Answer,
    handle: () => Promise<PackedReply<object>>,
  ): Promise<void> {
    await entered.meeting.lane.run(async () => {
      answer(this.#entered === entered ? await this.#outcome(request, handle) : notEntered())
    })
  }

  async #outcome(
    request: RequestName,
    handle: () => Promise<PackedReply<object>>,
  ): Promise<PackedReply<object>> {
    try {
      return await handle()
    } catch (error) {
      const { logger } = this.#options
      const meeting = this.#entered?.meetingId
      if (error instanceof StoreError) {
        // Its cause may quote what was to be stored.
        const { code, message } = error
        logger.warn({ meeting, request, code, message }, 'the store failed')
        return refuse('unavailable', 'the keyserver cannot reach its store')
      }
      logger.error({ meeting, request, err: error }, 'a request failed')
      return refuse('internal', 'the keyserver failed')
    }
  }

  #forbids(require: (claims: AccessClaims) => void): PackedRefusal | undefined {
    try {
      require(this.#options.claims)
      return undefined
    } catch (error) {
      if (!(error instanceof AccessError)) throw error
      return refuse('not-permitted', error.message, { detail: error.code })
    }
  }
}

/** @throws AccessError `token-grant-missing` */
function requireRemoving(claims: AccessClaims): void {
  requireGrant(claims, claims.grants.manage === true ? 'manage' : 'remove')
}

function isDirectoryRequest(name: RequestName): name is DirectoryRequestName {
  return Object.hasOwn(directoryGrants, name)
}

function notEntered(): PackedRefusal {
  return refuse('not-entered', 'enter a meeting first')
}
