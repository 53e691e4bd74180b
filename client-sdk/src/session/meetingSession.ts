import { type Clock, ConclaveError, Lane, type RandomBytes } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { SecretCrypto, SecretSuite, Signer } from '@conclave/core/crypto/secret'
import {
  type LogEntry,
  presenceLabel,
  presenceTbs,
  protocolVersion,
  type ReplyTo,
  type ServerNotices,
  type WaitingJoiner,
} from '@conclave/core/delivery'
import { type MeetingTrust, meetingPolicy } from '@conclave/core/meeting'
import { type KeyPackageBundle, type OwnLeaf, wipeKeyPackage } from '@conclave/core/mls/bootstrap'
import type { CommitEffect, Group, GroupEnvironment, PendingCommit } from '@conclave/core/mls/group'
import { CommitScheduler } from './commitScheduler.ts'
import {
  type Entered,
  encodeKeyPackage,
  foundMeeting,
  joinByWelcome,
  suiteOf,
} from './enterMeeting.ts'
import { deviceSigner, keyPackageFor, type MeetingIdentity, meetingLeaf } from './identity.ts'
import { LogFollower } from './logFollower.ts'
import { Membership } from './membership.ts'
import { refusal, SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'
import type { DeliveryTransport, TransportEvents } from './transport.ts'

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
  ended(reason: EndReason, error: ConclaveError | undefined): void
}

/** A KeyPackage that is still waiting is replaced before it expires. */
const keyPackageRefreshMs = 4 * 60_000
/** How long `leave` waits for its own removal to be on the log. */
const leaveTimeoutMs = 2_000
/** Epochs that may end while `leave` tells the group. */
const goodbyeAttempts = 5

/**
 * One member's part in one meeting: enters it, follows its log, commits when it is its turn. All
 * that happens runs through one lane, in the order in which it came.
 */
export class MeetingSession {
  readonly #options: SessionOptions
  readonly #events: SessionEvents
  readonly #groups: GroupEnvironment
  readonly #suite: SecretSuite
  readonly #clock: Clock
  readonly #scheduler: CommitScheduler
  readonly #lane = new Lane()
  #transport: DeliveryTransport
  #connection = 0
  #device: Signer | undefined
  #entered: Entered | undefined
  #bundle: KeyPackageBundle | undefined
  #waitingFor: Bytes | undefined
  #membership: Membership | undefined
  #follower = new LogFollower(0)
  #waiting: readonly WaitingJoiner[] = []
  #present: ReadonlySet<number> = new Set()
  #cancelRefresh: (() => void) | undefined
  #ended = false

  /** @throws SessionError `platform-unsupported` */
  constructor(options: SessionOptions, transport: DeliveryTransport, events: SessionEvents) {
    const { meetingId, trust, environment } = options
    this.#options = options
    this.#events = events
    this.#transport = transport
    this.#groups = {
      crypto: environment.crypto,
      clock: environment.clock,
      policy: meetingPolicy({ meetingId, trust }),
    }
    this.#clock = environment.clock
    this.#suite = suiteOf(environment.crypto)
    this.#scheduler = new CommitScheduler(this.#clock, () => this.#run(() => this.#commit()))
  }

  /** The group of the current epoch, once we are in. */
  get group(): Group | undefined {
    return this.#membership?.group
  }

  start(): void {
    this.#transport.start(this.#eventsOf(++this.#connection))
  }

  /**
   * Goes on over another way to the same keyserver: the log continues where it was. The old way is
   * closed once the new one stands.
   */
  switchTransport(transport: DeliveryTransport): void {
    const old = this.#transport
    this.#transport = transport
    const events = this.#eventsOf(++this.#connection)
    transport.start({
      ...events,
      connected: () => {
        old.close()
        events.connected()
      },
    })
  }

  /** Says goodbye, waits for the log to have it, and wipes everything. */
  async leave(): Promise<void> {
    const said = this.#lane.run(() => this.#sayGoodbye()).catch(() => {})
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

  #eventsOf(connection: number): TransportEvents {
    const current = () => connection === this.#connection && !this.#ended
    return {
      connected: () => {
        if (!current()) return
        this.#events.connectionChanged(true)
        this.#run(() => this.#enter())
      },
      disconnected: () => {
        if (!current()) return
        this.#events.connectionChanged(false)
      },
      rejected: (code, message) => {
        if (!current()) return
        this.#end('failed', new SessionError('keyserver-refused', message, { detail: code }))
      },
      notice: (name, notice) => {
        if (current()) this.#run(() => this.#noticed(name, notice))
      },
    }
  }

  /** One step of the session. What goes wrong in it never reaches the caller of whoever caused it. */
  #run(step: () => Promise<void>): void {
    void this.#lane.run(async () => {
      if (this.#ended) return
      try {
        await step()
      } catch (error) {
        // A lost connection is tried again; everything else that a step throws is final.
        if (error instanceof SessionError && error.code === 'keyserver-unreachable') return
        if (error instanceof ConclaveError) this.#end('failed', error)
        else {
          this.#end(
            'failed',
            new SessionError('session-ended', 'the session failed', { cause: error }),
          )
        }
      }
    })
  }

  async #enter(): Promise<void> {
    const { meetingId } = this.#options
    const entered = await this.#transport.request('enter', { protocol: protocolVersion, meetingId })
    if (!entered.ok) throw refusal(entered)
    this.#entered = entered
    const { group } = entered
    if (this.#membership === undefined) return this.#join(group?.groupId)
    if (group === null || !equalBytes(group.groupId, this.#membership.group.groupId)) {
      return this.#closed()
    }
    await this.#follow()
  }

  async #join(groupId: Bytes | undefined): Promise<void> {
    if (groupId !== undefined) return this.#wait(groupId)
    const { meetingId, trust } = this.#options
    const own = await this.#newLeaf()
    const result = await foundMeeting(
      this.#groups,
      this.#transport,
      meetingId,
      trust,
      own,
      this.#entered as Entered,
    )
    if (result.kind === 'lost') return this.#wait(result.groupId)
    await this.#begin(result.group, result.seq)
  }

  async #wait(groupId: Bytes): Promise<void> {
    this.#bundle ??= await keyPackageFor(this.#suite, await this.#newLeaf(), this.#clock)
    this.#waitingFor = groupId
    const reply = await this.#transport.request('wait', {
      groupId,
      keyPackage: encodeKeyPackage(this.#bundle),
    })
    // A group that has just ended announces it, and then we enter again.
    if (!reply.ok && reply.code !== 'group-unknown') throw refusal(reply)
    this.#cancelRefresh ??= this.#clock.setTimer(keyPackageRefreshMs, () =>
      this.#run(() => this.#refreshKeyPackage()),
    )
  }

  async #refreshKeyPackage(): Promise<void> {
    this.#forgetKeyPackage()
    if (this.#waitingFor !== undefined) await this.#wait(this.#waitingFor)
  }

  #forgetKeyPackage(): void {
    this.#cancelRefresh?.()
    this.#cancelRefresh = undefined
    if (this.#bundle !== undefined) wipeKeyPackage(this.#bundle)
    this.#bundle = undefined
  }

  async #welcomed(notice: ServerNotices['welcome']): Promise<void> {
    const bundle = this.#bundle
    if (bundle === undefined || !equalBytes(notice.ref, bundle.ref)) return
    const group = await joinByWelcome(this.#groups, this.#transport, bundle, notice)
    // The group has taken over the KeyPackage's keys.
    this.#bundle = undefined
    this.#forgetKeyPackage()
    await this.#begin(group, notice.seq)
  }

  async #begin(group: Group, seq: number): Promise<void> {
    this.#waitingFor = undefined
    this.#membership = new Membership(group, seq)
    this.#follower = new LogFollower(seq)
    this.#events.epochBegan(group, undefined)
    await this.#follow()
  }

  /** Takes up the log where it was left, and says which leaf this connection speaks for. */
  async #follow(): Promise<void> {
    const membership = this.#membership
    const entered = this.#entered
    if (membership === undefined || entered === undefined) return
    const { groupId, leafIndex } = membership.group
    await this.#catchUp()
    if (this.#ended) return
    const attached = await this.#transport.request('attach', {
      groupId,
      leafIndex,
      signature: await membership.group.sign(
        presenceLabel,
        presenceTbs(groupId, leafIndex, entered.nonce),
      ),
    })
    if (!attached.ok) throw refusal(attached)
    if (membership.pending !== undefined) await this.#send(membership.pending)
    this.#reconsider()
  }

  /** Pages through the log until nothing is missing. */
  async #catchUp(): Promise<void> {
    for (;;) {
      const membership = this.#membership
      if (membership === undefined || this.#ended) return
      const reply = await this.#transport.request('resume', {
        groupId: membership.group.groupId,
        after: this.#follower.last,
      })
      if (!reply.ok) {
        if (reply.code === 'group-unknown') return this.#closed()
        if (reply.code !== 'seq-out-of-range') throw refusal(reply)
        throw new SessionError('log-rolled-back', 'the log does not go on from where we are', {
          remedy: 'Join the meeting again.',
        })
      }
      this.#waiting = reply.waiting
      this.#present = new Set(reply.present)
      await this.#take(reply.entries)
      if (this.#follower.last >= reply.head || reply.entries.length === 0) return
    }
  }

  async #noticed<N extends keyof ServerNotices>(name: N, notice: ServerNotices[N]): Promise<void> {
    const handlers: { [K in keyof ServerNotices]: (notice: ServerNotices[K]) => Promise<void> } = {
      welcome: (welcome) => this.#welcomed(welcome),
      entry: async ({ groupId, entry }) => {
        if (!this.#isOurs(groupId)) return
        await this.#take([entry])
        if (this.#follower.hasGap) await this.#catchUp()
      },
      waiting: async ({ groupId, joiners }) => {
        if (this.#isOurs(groupId)) this.#waiting = joiners
      },
      present: async ({ groupId, leaves }) => {
        if (this.#isOurs(groupId)) this.#present = new Set(leaves)
      },
      closed: async ({ groupId }) => {
        if (this.#isOurs(groupId)) return this.#closed()
        if (this.#waitingFor === undefined || !equalBytes(groupId, this.#waitingFor)) return
        this.#waitingFor = undefined
        this.#forgetKeyPackage()
        await this.#enter()
      },
    }
    await handlers[name](notice)
    this.#reconsider()
  }

  #isOurs(groupId: Bytes): boolean {
    return this.#membership !== undefined && equalBytes(groupId, this.#membership.group.groupId)
  }

  async #take(entries: readonly LogEntry[]): Promise<void> {
    for (const entry of entries) this.#follower.offer(entry)
    for (;;) {
      const entry = this.#ended ? undefined : this.#follower.next()
      if (entry === undefined || this.#membership === undefined) return
      await this.#apply(this.#membership, entry)
    }
  }

  async #apply(membership: Membership, entry: LogEntry): Promise<void> {
    const outcome = await membership.apply(entry)
    switch (outcome.kind) {
      case 'proposal':
        return
      case 'ignored':
        this.#events.problem(outcome.error)
        return
      case 'epoch':
        this.#scheduler.epochBegan()
        this.#events.epochBegan(membership.group, outcome.effect)
        return
      case 'removed':
        this.#end('removed')
        return
      case 'inapplicable':
        this.#end(
          'failed',
          new SessionError('log-inapplicable', 'a commit of the log does not apply', {
            cause: outcome.error,
            detail: outcome.error.code,
            remedy: 'Join the meeting again.',
          }),
        )
    }
  }

  #reconsider(): void {
    const membership = this.#membership
    if (membership === undefined || membership.pending !== undefined || this.#ended) {
      this.#scheduler.stop()
      return
    }
    this.#scheduler.reconsider({
      group: membership.group.public,
      ownLeaf: membership.group.leafIndex,
      present: this.#present,
      work: membership.hasWork(this.#waiting),
    })
  }

  async #commit(): Promise<void> {
    const membership = this.#membership
    if (membership === undefined || membership.pending !== undefined) return
    if (!membership.hasWork(this.#waiting)) return
    const pending = await membership.makeCommit(this.#waiting)
    // Sent beside the lane: while the answer is out, the log goes on and may decide against it.
    void this.#send(pending)
  }

  /** Offers a commit to the log; resending one that has won is harmless. */
  async #send(pending: PendingCommit): Promise<void> {
    const membership = this.#membership
    if (membership === undefined) return
    const transport = this.#transport
    const reply = await transport
      .request('commit', {
        groupId: membership.group.groupId,
        after: membership.lastSeq,
        message: pending.message,
        welcome: pending.welcome ?? null,
        groupInfo: pending.groupInfo,
      })
      .catch((error: unknown) => {
        // The log decides: after reconnecting it is there, or it is sent again.
        this.#run(() => Promise.reject(error))
      })
    if (reply !== undefined) this.#run(() => this.#answered(pending, reply))
  }

  async #answered(pending: PendingCommit, reply: ReplyTo<'commit'>): Promise<void> {
    const membership = this.#membership
    if (membership?.pending !== pending) return
    if (reply.ok) {
      await this.#take([{ seq: reply.seq, message: pending.message }])
    } else {
      membership.discardPending()
      await this.#take(reply.missed ?? [])
      if (reply.code !== 'epoch-mismatch') {
        this.#scheduler.refused()
        this.#events.problem(refusal(reply))
      }
    }
    if (this.#follower.hasGap) await this.#catchUp()
    this.#reconsider()
  }

  async #sayGoodbye(): Promise<void> {
    const membership = this.#membership
    if (membership === undefined || this.#ended) return
    for (let attempt = 0; attempt < goodbyeAttempts && !this.#ended; attempt++) {
      const { group } = membership
      if (group.members.length === 1) return
      const reply = await this.#transport.request('propose', {
        groupId: group.groupId,
        message: await group.proposeSelfRemove(),
      })
      if (reply.ok || reply.code !== 'epoch-mismatch') return
      await this.#catchUp()
    }
  }

  #closed(): void {
    this.#end('closed', new SessionError('meeting-closed', 'the keyserver ended the meeting'))
  }

  #end(reason: EndReason, error?: ConclaveError): void {
    if (this.#ended) return
    this.#ended = true
    this.#scheduler.stop()
    this.#forgetKeyPackage()
    this.#membership?.close()
    this.#transport.close()
    this.#events.ended(reason, error)
  }

  async #newLeaf(): Promise<OwnLeaf> {
    const { meetingId, identity, environment } = this.#options
    this.#device ??= await deviceSigner(this.#suite, environment.store, environment.random)
    return meetingLeaf(this.#suite, this.#device, meetingId, identity)
  }
}
