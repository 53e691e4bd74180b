import { type Bytes, CodecError, equalBytes } from '@conclave/core/codec'
import { verifyWithLabel } from '@conclave/core/crypto/public'
import {
  type LogEntry,
  maxEntriesGivenBack,
  type PackedReplyTo,
  packEntries,
  packJoiners,
  presenceLabel,
  presenceTbs,
  type RequestOf,
  unpackEntries,
} from '@conclave/core/delivery'
import { type LeafIndex, ProposalType } from '@conclave/core/wire'
import {
  checkIntervalMs,
  externalCommitWaitMs,
  givenBackEveryMs,
  refreshMs,
  statusWantedEveryMs,
} from '../limits.ts'
import { Attendance, type GroupHost } from './attendance.ts'
import type { Participant } from './audience.ts'
import type { VerifiedContinuation } from './continuation.ts'
import { takeReport } from './entryReports.ts'
import type { FreshCommit } from './freshCommit.ts'
import type { GroupLog } from './groupLog.ts'
import type { GroupLogOptions } from './groupLogOptions.ts'
import { takeLateGoodbye } from './lateGoodbye.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'
import { describeMembers } from './members.ts'
import { OfferBook } from './offerBook.ts'
import { type PackedRefusal, refuse } from './orderingError.ts'
import { PacedTask } from './pacedTask.ts'
import { checkPassing } from './passMessage.ts'
import { removePerson } from './personRemoval.ts'
import { WaitingRoom } from './waitingRoom.ts'

export interface RemovalsChance {
  /** The epoch has ended, or the time for it; or this instance follows the group no longer. */
  readonly over: Promise<void>
}

/**
 * A meeting's group while this instance serves it: its log, who waits to be added and who is there.
 * The caller runs one method at a time.
 */
export class OpenGroup {
  readonly log: GroupLog
  readonly attendance: Attendance
  readonly waitingRoom: WaitingRoom
  readonly offerBook: OfferBook
  readonly #meetingId: string
  readonly #environment: MeetingEnvironment
  readonly #host: GroupHost
  readonly #check: PacedTask
  readonly #epochWaiters = new Set<() => void>()
  /** Connections that are gone, of which the store does not know yet. */
  readonly #left = new Set<Participant>()
  /** Until when members may commit removals before newcomers commit. */
  #chance: { readonly epoch: number; readonly until: number } | undefined
  #cancelRefresh: (() => void) | undefined
  #givenBackAt = Number.NEGATIVE_INFINITY
  #askedAt = Number.NEGATIVE_INFINITY
  /** The newest entry that the connections here have been told of. */
  #told: number

  constructor(log: GroupLog, environment: MeetingEnvironment, host: GroupHost) {
    this.log = log
    this.#meetingId = log.key.meetingId
    this.#environment = environment
    this.#host = host
    this.#told = log.followed.head
    this.attendance = new Attendance(log, environment, host)
    this.waitingRoom = new WaitingRoom(log, environment, host, (participant, leaf) =>
      this.attendance.neverCame(participant, leaf),
    )
    this.offerBook = new OfferBook(log, environment, host, this.attendance)
    this.#check = new PacedTask(environment.clock, checkIntervalMs, () =>
      host.later(() => this.attendance.check()),
    )
    this.#check.request()
    this.#refreshLater()
  }

  get groupId(): Bytes {
    return this.log.key.groupId
  }

  /** Whether a removal is pending, or was left out by the epoch before. */
  get mustRemove(): boolean {
    const { pending, overdue } = this.log.followed.ledger
    return pending.size + overdue.size > 0
  }

  async resume(
    participant: Participant,
    { after }: RequestOf<'resume'>,
  ): Promise<PackedReplyTo<'resume'>> {
    const page = await this.log.page(after)
    if (!page.ok) return page
    let { entries, head } = page
    const { audience, store } = this.#environment
    const isUpToDate = after + entries.length === head
    if (isUpToDate) audience.follow(this.#meetingId, participant.id)
    const [late, waiters, view] = await Promise.all([
      // Another instance may have appended between the two.
      isUpToDate && store.shared ? this.log.page(head) : undefined,
      this.waitingRoom.list(),
      this.attendance.view(),
    ])
    if (late?.ok) {
      entries = [...entries, ...late.entries]
      head = late.head
    }
    const waiting = packJoiners(waiters)
    const present = view?.present ?? []
    return { ok: true, entries: packEntries(entries), head, waiting, present }
  }

  async attach(
    participant: Participant,
    { leafIndex, signature }: RequestOf<'attach'>,
  ): Promise<PackedReplyTo<'attach'>> {
    const content = presenceTbs(this.groupId, leafIndex, participant.nonce)
    const isProven = async (): Promise<boolean> => {
      const { crypto, tree } = this.log.followed.publicGroup
      const key = tree.leafNode(leafIndex as LeafIndex)?.signatureKey
      return (
        key !== undefined && (await verifyWithLabel(crypto, key, presenceLabel, content, signature))
      )
    }
    if (!(await isProven()) && (!(await this.#hasLearned()) || !(await isProven()))) {
      return refuse('presence-invalid', 'the leaf did not sign for this connection')
    }
    await Promise.all([
      this.attendance.attach(participant, leafIndex as LeafIndex),
      this.#environment.store.dropWelcome(this.log.key, leafIndex),
    ])
    // What another instance has proposed until now, it has proposed for absence, too.
    await this.#hasLearned()
    return { ok: true, head: this.log.followed.head }
  }

  async propose(
    participant: Participant,
    { message }: RequestOf<'propose'>,
  ): Promise<PackedReplyTo<'propose'>> {
    const { store, logger, clock, observer } = this.#environment
    const began = clock.now()
    const ordered = await this.log.propose(message)
    if (!ordered.ok) {
      if (ordered.code !== 'epoch-mismatch') return ordered
      const taken = await takeLateGoodbye(this, participant, message, store)
      return taken === undefined ? ordered : { ok: true, seq: taken, durable: store.durable }
    }
    const { seq, fresh } = ordered
    if (fresh !== undefined) {
      logger.debug({ ...this.#at(), seq }, 'proposal')
      this.#publish(fresh.entry)
      observer.proposed(this.#observed(), { seq, ms: clock.now() - began })
      if (fresh.proposes === ProposalType.reInit) this.offerBook.changed()
      if (fresh.removes !== undefined) this.#host.later(() => this.attendance.removeDue())
    }
    return { ok: true, seq, durable: store.durable }
  }

  async commit(request: RequestOf<'commit'>): Promise<PackedReplyTo<'commit'>> {
    const { clock, store } = this.#environment
    const began = clock.now()
    const ordered = await this.log.commit(request)
    if (!ordered.ok) return ordered
    if (ordered.fresh !== undefined) this.#begun(ordered.fresh, began)
    return { ok: true, seq: ordered.seq, durable: store.durable }
  }

  async tree({ treeHash }: RequestOf<'tree'>): Promise<PackedReplyTo<'tree'>> {
    const ratchetTree = await this.log.tree(treeHash)
    if (ratchetTree === undefined) return refuse('tree-unknown', 'no tree with this hash is kept')
    return { ok: true, ratchetTree }
  }

  async groupInfo(): Promise<PackedReplyTo<'groupInfo'>> {
    const found = await this.#environment.store.readGroupInfo(this.log.key)
    if (found === undefined) return refuse('group-unknown', 'there is no GroupInfo to start from')
    return { ok: true, ...found }
  }

  async send(participant: Participant, request: RequestOf<'send'>): Promise<PackedReplyTo<'send'>> {
    const passed = await checkPassing(this, participant, request, () => this.#hasLearned())
    if (passed.ok) {
      const notice = { groupId: this.groupId, message: request.message }
      this.#environment.audience.message(this.#meetingId, notice, participant.id)
    }
    return passed
  }

  async offer(
    participant: Participant,
    request: RequestOf<'offer'>,
  ): Promise<PackedReplyTo<'offer'>> {
    await this.#hasLearned()
    return await this.offerBook.offer(participant, request)
  }

  async offers(participant: Participant): Promise<PackedReplyTo<'offers'>> {
    await this.#hasLearned()
    return await this.offerBook.offers(participant)
  }

  async continuation(
    participant: Participant,
    request: RequestOf<'continue'>,
    options: GroupLogOptions,
  ): Promise<({ readonly ok: true } & VerifiedContinuation) | PackedRefusal> {
    await this.#hasLearned()
    return await this.offerBook.continuation(participant, request, options)
  }

  remove(participant: Participant, request: RequestOf<'remove'>): Promise<PackedReplyTo<'remove'>> {
    const { store } = this.#environment
    return removePerson(this, participant, request, store, () => this.#hasLearned())
  }

  async report(request: RequestOf<'report'>): Promise<PackedReplyTo<'report'>> {
    if (request.seq > this.log.followed.head) await this.#hasLearned()
    const view = await this.attendance.view()
    if (view === undefined) return refuse('group-unknown', 'the group has ended')
    const reply = await takeReport(this.log, view, request, this.#environment, () => {
      const now = this.#environment.clock.now()
      const may = now - this.#askedAt >= statusWantedEveryMs
      if (may) this.#askedAt = now
      return may
    })
    if (reply.ok && reply.outcome === 'voided') this.#check.request()
    return reply
  }

  async giveBack({
    after,
    entries,
    groupInfo,
  }: RequestOf<'giveBack'>): Promise<PackedReplyTo<'giveBack'>> {
    const { clock, logger } = this.#environment
    if (clock.now() - this.#givenBackAt < givenBackEveryMs) {
      return refuse('rate-limited', 'somebody has just given entries back; resume first')
    }
    await this.#hasLearned()
    if (after !== this.log.followed.head) {
      return refuse('entries-inapplicable', `the log ends with ${this.log.followed.head}`)
    }
    let unpacked: readonly LogEntry[]
    try {
      unpacked = unpackEntries(entries)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      return refuse('entries-inapplicable', error.message, { detail: error.code })
    }
    if (unpacked.length === 0 || unpacked.length > maxEntriesGivenBack) {
      return refuse('entries-inapplicable', `1 to ${maxEntriesGivenBack} entries are given back`)
    }
    const given = await this.log.giveBack(unpacked, groupInfo)
    // From the end on: checking them takes time, which others wait for.
    this.#givenBackAt = clock.now()
    if (!given.ok) return given
    logger.warn({ ...this.#at(), after, head: given.head }, 'lost entries were given back')
    for (const entry of given.entries) this.#publish(entry)
    this.#check.request()
    return { ok: true, head: given.head }
  }

  /** The connection is gone: its leaf has the grace period, its KeyPackage waits no longer. */
  async leave(participant: Participant): Promise<void> {
    this.#left.add(participant)
    await this.#forgetWhoLeft()
  }

  /**
   * What a newcomer's commit waits for, which cannot carry others' Removes: in each epoch members
   * have two seconds for those that are pending, or that the epoch before has left out.
   */
  chanceOfRemovals(): RemovalsChance | undefined {
    if (!this.mustRemove) return undefined
    const { epoch: current } = this.log.followed
    const now = this.#environment.clock.now()
    if (this.#chance?.epoch !== current) {
      this.#chance = { epoch: current, until: now + externalCommitWaitMs }
    }
    const { until } = this.#chance
    return now < until ? { over: this.#epochEnded(until - now) } : undefined
  }

  /** Nothing happens by itself any more. */
  stop(): void {
    this.#check.stop()
    this.attendance.stop()
    this.waitingRoom.stop()
    this.offerBook.stop()
    this.#cancelRefresh?.()
    this.#wakeEpochWaiters()
  }

  /** A commit has begun an epoch. */
  #begun(fresh: FreshCommit, began: number): void {
    const { entry, added, removed, welcomeParts, admitted, before, after } = fresh
    const { clock, logger, observer } = this.#environment
    this.#publish(entry)
    this.waitingRoom.admitted(admitted, welcomeParts, entry.seq)
    const counts = { added: added.length, removed: removed.length }
    const epoch = Number(after.groupContext.epoch)
    logger.info({ meeting: this.#meetingId, epoch, seq: entry.seq, ...counts }, 'commit')
    observer.committed(this.#observed(epoch), {
      seq: entry.seq,
      added: describeMembers(after, added),
      removed: describeMembers(before, removed),
      welcomeParts,
      logBytes: entry.message.length,
      ms: clock.now() - began,
    })
    this.#wakeEpochWaiters()
    // What it has not removed has to be proposed anew before the next one.
    if (this.mustRemove) this.#host.later(() => this.attendance.check())
    else this.#check.request()
  }

  /** Takes in what other instances have appended; whether that was anything. */
  async #hasLearned(): Promise<boolean> {
    return this.#environment.store.shared && (await this.log.catchUp())
  }

  #refreshLater(): void {
    const { store, clock } = this.#environment
    if (!store.shared) return
    this.#cancelRefresh = clock.setTimer(refreshMs, () => {
      this.#host.later(() => this.#refresh())
      this.#refreshLater()
    })
  }

  /** What another instance has done and, if it died or was cut off, could not tell. */
  async #refresh(): Promise<void> {
    const { store } = this.#environment
    const current = await store.currentGroup(this.#meetingId)
    if (current === null || !equalBytes(current.groupId, this.groupId))
      return await this.#host.gone()
    await this.#forgetWhoLeft()
    await this.attendance.renewLease()
    await this.attendance.checkRegularly()
    await this.log.catchUp()
    const now = this.#environment.clock.now()
    await this.log.tellUnanswered((fresh) => this.#begun(fresh, now))
    await this.#tellNewest()
    await this.waitingRoom.lookForWelcomes()
    await this.waitingRoom.tellHere()
    await this.attendance.tellHere()
  }

  /**
   * Tells the connections here of the newest entry, unless it was published here: on whichever
   * occasion this instance learned of it, whoever appended it may have told nobody.
   */
  async #tellNewest(): Promise<void> {
    const { head } = this.log.followed
    if (head === this.#told) return
    const page = await this.log.page(head - 1)
    const entry = page.ok ? page.entries[0] : undefined
    if (entry === undefined) return
    this.#told = head
    const notice = { groupId: this.groupId, entry }
    this.#environment.audience.entry(this.#meetingId, notice, { here: true })
    this.#wakeEpochWaiters()
  }

  /** Whoever leaves while the store cannot be reached would stay for as long as this instance. */
  async #forgetWhoLeft(): Promise<void> {
    for (const participant of this.#left) {
      await this.attendance.detach(participant)
      await this.waitingRoom.leave(participant)
      this.#left.delete(participant)
    }
  }

  /** At most `ms` milliseconds from now. */
  async #epochEnded(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#epochWaiters.add(resolve)
    const cancel = this.#environment.clock.setTimer(ms, resolve)
    await promise
    cancel()
    this.#epochWaiters.delete(resolve)
  }

  #wakeEpochWaiters(): void {
    for (const wake of this.#epochWaiters) wake()
  }

  #publish(entry: LogEntry): void {
    this.#told = Math.max(this.#told, entry.seq)
    this.#environment.audience.entry(this.#meetingId, { groupId: this.groupId, entry })
  }

  #observed(epoch = this.log.followed.epoch) {
    return { meetingId: this.#meetingId, groupId: this.groupId, epoch }
  }

  /** What every log line of this group names. */
  #at(): { readonly meeting: string; readonly epoch: number } {
    return { meeting: this.#meetingId, epoch: this.log.followed.epoch }
  }
}
