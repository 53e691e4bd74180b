import { type Clock, ConclaveError, Lane, type RandomBytes } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { SecretCrypto, SecretSuite, Signer } from '@conclave/core/crypto/secret'
import { protocolMinor, protocolVersion, type ServerNotices } from '@conclave/core/delivery'
import { type MeetingTrust, meetingPolicy } from '@conclave/core/meeting'
import type { OwnLeaf } from '@conclave/core/mls/bootstrap'
import type { CommitEffect, Group, GroupEnvironment } from '@conclave/core/mls/group'
import { DeliveryLink } from './deliveryLink.ts'
import {
  type Entered,
  encodeKeyPackage,
  foundMeeting,
  joinByWelcome,
  suiteOf,
} from './enterMeeting.ts'
import { deviceSigner, keyPackageFor, type MeetingIdentity, meetingLeaf } from './identity.ts'
import { type Notice, NoticeQueue } from './noticeQueue.ts'
import { closedByKeyserver, Participation } from './participation.ts'
import { isTransient, refusal, SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'
import type { DeliveryTransport } from './transport.ts'
import { WaitingPlace } from './waitingPlace.ts'

export interface SessionEnvironment {
  readonly clock: Clock
  readonly random: RandomBytes
  readonly crypto: SecretCrypto
  readonly store: SessionStore
}

export interface SessionOptions {
  readonly meetingId: string
  readonly identity: MeetingIdentity
  readonly trust: MeetingTrust
  readonly environment: SessionEnvironment
}

export type EndReason =
  /** `leave` was called. */
  | 'left'
  /** A commit removed us. */
  | 'removed'
  /** The keyserver ended the group. */
  | 'closed'
  /** The session cannot go on; the error says why. */
  | 'failed'

export interface SessionEvents {
  /** We are in, or a commit has been confirmed; `effect` is missing for the epoch we entered in. */
  epochBegan(group: Group, effect: CommitEffect | undefined): void
  connectionChanged(connected: boolean): void
  /** Something a peer or server did that was refused, and that the session survives. */
  problem(error: ConclaveError): void
  /** The last event, once. */
  ended(reason: EndReason, error: ConclaveError | undefined): void
}

/** How long `leave` waits for its own removal to be on the log. */
const leaveTimeoutMs = 2_000
/** The pause before going on after the keyserver could not do something for now. */
const retryMs = 1_000

/**
 * One member's part in one meeting, from entering it to the end. All that happens runs through one
 * lane, in the order in which it came.
 */
export class MeetingSession {
  readonly #options: SessionOptions
  readonly #events: SessionEvents
  readonly #groups: GroupEnvironment
  readonly #suite: SecretSuite
  readonly #clock: Clock
  readonly #lane = new Lane()
  readonly #link: DeliveryLink
  readonly #notices = new NoticeQueue()
  readonly #place: WaitingPlace
  #device: Signer | undefined
  #entered: Entered | undefined
  #waitingFor: Bytes | undefined
  #participation: Participation | undefined
  #takingNotices = false
  #cancelRetry: (() => void) | undefined
  #setback: ConclaveError | undefined
  #ended = false

  /** @throws SessionError `platform-unsupported` */
  constructor(options: SessionOptions, transport: DeliveryTransport, events: SessionEvents) {
    const { meetingId, trust, environment } = options
    this.#options = options
    this.#events = events
    this.#groups = {
      crypto: environment.crypto,
      clock: environment.clock,
      policy: meetingPolicy({ meetingId, trust }),
      // Only SFrame keys come of the group: nothing of a past epoch is ever asked for.
      retention: { pastEpochs: 0, pastEpochMs: 0, resumptionPsks: 0 },
    }
    this.#clock = environment.clock
    this.#suite = suiteOf(environment.crypto)
    this.#place = new WaitingPlace(this.#clock, () => this.#run(() => this.#renewPlace()))
    this.#link = new DeliveryLink(transport, {
      connected: () => {
        events.connectionChanged(true)
        this.#run(() => this.#enter())
      },
      disconnected: () => events.connectionChanged(false),
      rejected: (error) => this.#end('failed', error),
      successorRejected: (error) => events.problem(error),
      notice: (name, notice) => this.#noticed({ name, notice } as Notice),
    })
  }

  /** The group of the current epoch, once we are in. */
  get group(): Group | undefined {
    return this.#participation?.group
  }

  /** What kept the session from going on when it last tried. */
  get setback(): ConclaveError | undefined {
    return this.#setback
  }

  start(): void {
    this.#link.start()
  }

  /**
   * Goes on over another way to the same keyserver as soon as that is connected: the log continues
   * where it was. Until then, and if the keyserver refuses it, the present way stays.
   */
  switchTransport(transport: DeliveryTransport): void {
    this.#link.switchTo(transport)
  }

  /** Says goodbye, waits for the log to have it, and wipes everything. */
  async leave(): Promise<void> {
    if (this.#ended) return
    const said = this.#lane.run(async () => this.#participation?.sayGoodbye()).catch(() => {})
    const waited = Promise.withResolvers<void>()
    const cancel = this.#clock.setTimer(leaveTimeoutMs, waited.resolve)
    await Promise.race([said, waited.promise])
    cancel()
    this.#end('left')
  }

  /** Ends without a word, as `join` does when it is given up. */
  abandon(error: ConclaveError): void {
    this.#end('failed', error)
  }

  /** One step of the session. What goes wrong in it never reaches the caller of whoever caused it. */
  #run(step: () => Promise<void>): void {
    void this.#lane.run(async () => {
      if (this.#ended) return
      try {
        await step()
      } catch (error) {
        if (!this.#ended) this.#failed(error)
      }
    })
  }

  #failed(error: unknown): void {
    if (!(error instanceof ConclaveError)) {
      const cause = error
      this.#end('failed', new SessionError('session-ended', 'the session failed', { cause }))
    } else if (error instanceof SessionError && error.code === 'keyserver-unreachable') {
      // The transport connects again, and then we enter again.
      this.#setback = error
    } else if (isTransient(error)) {
      this.#setback = error
      this.#events.problem(error)
      this.#retryLater()
    } else this.#end('failed', error)
  }

  #retryLater(): void {
    if (this.#ended) return
    this.#cancelRetry ??= this.#clock.setTimer(retryMs, () => {
      this.#cancelRetry = undefined
      this.#run(() => (this.#link.entered ? this.#goOn() : this.#enter()))
    })
  }

  async #enter(): Promise<void> {
    // Connections may have come and gone before their turn came.
    if (this.#link.entered) return
    const { meetingId } = this.#options
    const entered = await this.#link.request('enter', {
      protocol: protocolVersion,
      minor: protocolMinor,
      meetingId,
    })
    if (!entered.ok) throw refusal(entered)
    this.#entered = entered
    this.#waitingFor = undefined
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    const { group } = entered
    const current = this.#participation?.group.groupId
    if (current !== undefined && (group === null || !equalBytes(group.groupId, current))) {
      return this.#end('closed', closedByKeyserver())
    }
    await this.#goOn()
  }

  /** Does what comes next on a connection that has entered. */
  async #goOn(): Promise<void> {
    const entered = this.#entered as Entered
    if (this.#participation !== undefined) return this.#participation.follow(entered)
    await this.#join(this.#waitingFor ?? entered.group?.groupId)
  }

  async #join(groupId: Bytes | undefined): Promise<void> {
    if (groupId !== undefined) return this.#wait(groupId)
    const { meetingId, trust } = this.#options
    const own = await this.#newLeaf()
    const result = await foundMeeting(
      this.#groups,
      this.#link,
      meetingId,
      trust,
      own,
      this.#entered as Entered,
    )
    if (result.kind === 'lost') return this.#wait(result.groupId)
    await this.#begin(result.group, result.seq)
  }

  async #wait(groupId: Bytes): Promise<void> {
    this.#waitingFor = groupId
    const before = this.#place.bundle
    const bundle = before ?? (await keyPackageFor(this.#suite, await this.#newLeaf(), this.#clock))
    if (bundle !== before) this.#place.waitWith(bundle)
    if (this.#ended) return this.#place.forget()
    const reply = await this.#link.request('wait', {
      groupId,
      keyPackage: encodeKeyPackage(bundle),
    })
    // A group that has just ended announces it, and then we enter again.
    if (reply.ok || reply.code === 'group-unknown') return
    if (reply.code !== 'key-package-invalid' || bundle !== before) throw refusal(reply)
    // While we were away it has been used, or has expired.
    this.#place.forget()
    await this.#wait(groupId)
  }

  async #renewPlace(): Promise<void> {
    this.#place.forget()
    if (this.#waitingFor !== undefined) await this.#wait(this.#waitingFor)
  }

  async #welcomed(notice: ServerNotices['welcome']): Promise<void> {
    const { bundle } = this.#place
    if (bundle === undefined || !equalBytes(notice.ref, bundle.ref)) return
    const group = await joinByWelcome(this.#groups, this.#link, bundle, notice)
    this.#place.admitted()
    await this.#begin(group, notice.seq)
  }

  async #begin(group: Group, seq: number): Promise<void> {
    if (this.#ended) return group.close()
    this.#waitingFor = undefined
    this.#place.forget()
    this.#participation = new Participation(group, seq, this.#link, this.#clock, {
      run: (step) => this.#run(step),
      epochBegan: (current, effect) => this.#events.epochBegan(current, effect),
      problem: (error) => this.#events.problem(error),
      end: (reason, error) => this.#end(reason, error),
    })
    this.#events.epochBegan(group, undefined)
    await this.#participation.follow(this.#entered as Entered)
  }

  /** Notices wait outside the lane, where they can be bounded. */
  #noticed(notice: Notice): void {
    this.#notices.offer(notice)
    if (this.#takingNotices) return
    this.#takingNotices = true
    this.#run(() => this.#takeNotice())
  }

  async #takeNotice(): Promise<void> {
    try {
      const next = this.#notices.take()
      if (next !== undefined) await this.#handle(next)
    } finally {
      this.#takingNotices = !this.#notices.isEmpty
      if (this.#takingNotices) this.#run(() => this.#takeNotice())
      // What was dropped is asked for; not at once, because whoever floods us gains by that.
      else if (this.#notices.takeDropped()) this.#retryLater()
    }
    this.#participation?.reconsider()
  }

  async #handle({ name, notice }: Notice): Promise<void> {
    // For whoever publishes KeyPackages, which a session does not.
    if (name === 'stockLow') return
    const participation = this.#participationIn(notice.groupId)
    switch (name) {
      case 'welcome':
        return this.#welcomed(notice)
      case 'entry':
        return participation?.entryCame(notice.entry)
      case 'waiting':
        return participation?.waitingChanged(notice.joiners)
      case 'present':
        return participation?.presentChanged(notice.leaves)
      case 'statusWanted':
        return participation?.statusWanted(notice.seq)
      case 'closed':
        if (participation !== undefined) return this.#end('closed', closedByKeyserver())
        if (this.#waitingFor === undefined || !equalBytes(notice.groupId, this.#waitingFor)) return
        this.#waitingFor = undefined
        this.#place.forget()
        this.#link.exited()
        await this.#enter()
    }
  }

  #participationIn(groupId: Bytes): Participation | undefined {
    const participation = this.#participation
    return participation && equalBytes(groupId, participation.group.groupId)
      ? participation
      : undefined
  }

  #end(reason: EndReason, error?: ConclaveError): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelRetry?.()
    this.#notices.clear()
    this.#place.forget()
    this.#participation?.close()
    try {
      this.#link.close()
    } finally {
      this.#events.ended(reason, error)
    }
  }

  async #newLeaf(): Promise<OwnLeaf> {
    const { meetingId, identity, environment } = this.#options
    this.#device ??= await deviceSigner(this.#suite, environment.store, environment.random)
    return meetingLeaf(this.#suite, this.#device, meetingId, identity)
  }
}
