import { type Clock, ConclaveError, type RandomBytes } from '@conclave/core'
import { type Bytes, emptyBytes } from '@conclave/core/codec'
import {
  type LogEntry,
  presenceLabel,
  presenceTbs,
  type RefusalCode,
  type ReplyTo,
  readRemovalEnvelope,
  type WaitingJoiner,
} from '@conclave/core/delivery'
import type { CommitEffect, Group, PendingCommit } from '@conclave/core/mls/group'
import { SenderType } from '@conclave/core/wire'
import type { RoomBond } from '../rooms/roomBond.ts'
import { CommitReports } from './commitReports.ts'
import { CommitScheduler } from './commitScheduler.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import type { Entered } from './enterMeeting.ts'
import { Healing } from './healing.ts'
import { leafKeysMadeAt } from './identity.ts'
import type { ClaimedKeyPackage } from './inviting.ts'
import type { KeptMembership } from './keptPlace.ts'
import { LogReader, type LogReaderHost } from './logReader.ts'
import type { MeetingEffect } from './meetingEffect.ts'
import type { Membership } from './membership.ts'
import {
  absentForTooLong,
  closedByKeyserver,
  inapplicable,
  violated,
} from './participationErrors.ts'
import { refusal, type SessionError } from './sessionError.ts'
import { StateKeeper } from './stateKeeper.ts'

/** Epochs that may end while `sayGoodbye` tells the group. */
const goodbyeAttempts = 5

/**
 * Answers to a commit that do not say whether the log has it; where the connection had entered
 * nothing, an earlier one may have brought it there.
 */
const undecided: readonly RefusalCode[] = ['not-entered', 'unavailable', 'internal']

export interface ParticipationEnvironment {
  readonly link: Pick<DeliveryLink, 'request'>
  readonly clock: Clock
  readonly random: RandomBytes
  /** What the group branches off, where it is a breakout room's. */
  readonly room?: RoomBond | undefined
}

/** How our part in a group begins. */
export interface Beginning {
  /** The newest entry that the group's state includes, where we know it: the log must have the same. */
  readonly entry?: LogEntry | undefined
  /** Whether the state comes from the store. */
  readonly restored?: boolean
}

/** What our part in a group asks of the session. */
export interface ParticipationHost {
  /**
   * Resolves once the state, of which it wipes the secrets, outlasts a crash.
   * @throws SessionError `store-unavailable`
   */
  keep(state: KeptMembership): Promise<void>
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  epochBegan(group: Group, effect: MeetingEffect | undefined): void
  problem(error: ConclaveError): void
  end(reason: 'closed' | 'failed', error?: ConclaveError): void
  removed(effect: MeetingEffect): void
  /** From here on we cannot follow; what comes after our epoch can be entered anew. */
  lost(error: ConclaveError): void
}

/**
 * Our part in a group, from the epoch that we entered in: follows its log, and commits when it is
 * our turn. The session calls one method at a time; `close` may come at any time.
 */
export class Participation {
  readonly #membership: Membership
  readonly #log: LogReader
  readonly #reports: CommitReports
  readonly #scheduler: CommitScheduler
  readonly #healing: Healing
  readonly #keeper: StateKeeper
  readonly #link: Pick<DeliveryLink, 'request'>
  readonly #host: ParticipationHost
  #entered: Pick<Entered, 'nonce' | 'minor'> | undefined
  /** The commit whose answer is out: of two answers to one commit the wrong one might come first. */
  #sent: PendingCommit | undefined
  #present: ReadonlySet<number> = new Set()
  /** Whether what is taken in now has happened while no connection of ours spoke for our leaf. */
  #away = false
  /** Where the log ended when our connection spoke for our leaf at last. */
  #attachedAt = 0
  /** The entry that proposes to remove us in this epoch. */
  #condemnedAt: number | undefined
  #closed = false

  constructor(
    membership: Membership,
    { entry, restored = false }: Beginning,
    { link, clock, random, room }: ParticipationEnvironment,
    host: ParticipationHost,
  ) {
    const { group } = membership
    this.#membership = membership
    membership.room = room
    this.#link = link
    this.#host = host
    this.#log = new LogReader(link, clock, membership.lastSeq, entry, this.#readerHost())
    this.#reports = new CommitReports(this.#membership, link, clock, {
      run: (step) => host.run(step),
      catchUp: () => this.#log.catchUp(),
      giveUp: () => this.#giveUp(),
    })
    this.#scheduler = new CommitScheduler(clock, () => host.run(() => this.#commit()))
    this.#healing = new Healing(clock, random, () =>
      host.run(() => this.#commit({ renewing: true })),
    )
    this.#keeper = new StateKeeper({
      run: (step) => host.run(step),
      keep: () => host.keep(membership.snapshot()),
      problem: (error) => host.problem(error),
    })
    // Keys that have lain in the directory or in a store are to be replaced soon.
    const leafNode = group.public.tree.leafNode(group.leafIndex)
    this.#healing.renewed(restored ? 0 : leafKeysMadeAt(leafNode, clock))
    this.#keeper.soon()
  }

  /** The group of the current epoch. */
  get group(): Group {
    return this.#membership.group
  }

  /** The newest entry of the log that we know of. */
  get lastSeq(): number {
    return this.#membership.lastSeq
  }

  /**
   * Takes up the log where it was left, and says which leaf this connection speaks for.
   * @throws SessionError
   */
  async follow(entered: Pick<Entered, 'nonce' | 'minor'>): Promise<void> {
    this.#entered = entered
    this.#away = true
    await this.#log.catchUp({ comparing: (entered.minor ?? 0) >= 1 })
    if (this.#closed) return
    if ((await this.#attach(entered.nonce)) !== undefined) {
      // Meanwhile our leaf may have been removed.
      await this.#log.catchUp()
      if (this.#closed) return
      const unknown = await this.#attach(entered.nonce)
      if (unknown !== undefined) throw unknown
    }
    this.#away = false
    await this.#membership.restorePending()
    const { pending } = this.#membership
    if (pending !== undefined && pending !== this.#sent) this.#send(pending)
    this.#reports.connected()
    this.reconsider()
  }

  /** @throws SessionError */
  async entryCame(entry: LogEntry): Promise<void> {
    await this.#log.entryCame(entry)
  }

  /** Somebody could not apply a commit. */
  statusWanted(seq: number): Promise<void> {
    return this.#reports.wanted(seq)
  }

  waitingChanged(joiners: readonly WaitingJoiner[]): void {
    this.#membership.waitingList.update(joiners)
  }

  presentChanged(leaves: readonly number[]): void {
    this.#present = new Set(leaves)
  }

  /**
   * Adds the device of a claimed KeyPackage with our next commit; whether that could be done.
   * @throws SessionError `session-ended` where we lose our place before
   */
  invite({ ref, encoded, signatureKey }: ClaimedKeyPackage): Promise<boolean> {
    const added = this.#membership.waitingList.invite(ref, encoded, signatureKey)
    this.reconsider()
    return added
  }

  /**
   * Sets aside the keys of our next messages in this epoch, so that nobody uses them again who goes
   * on from what is kept.
   * @throws SessionError `store-unavailable`; MlsError `group-…`, `secret-tree-exhausted`
   */
  async reserveMessages(count: number): Promise<void> {
    this.group.reserveGenerations(count)
    await this.#keeper.now()
  }

  /** A key of this epoch has protected nearly as much as it may: a commit of ours ends the epoch. */
  keyWorn(epoch: bigint): void {
    if (epoch === this.group.epoch) this.#healing.hasten()
  }

  /** Whether and when it is our turn to commit; to be asked whenever something has changed. */
  reconsider(): void {
    const { isCommitting, failed } = this.#membership
    if (isCommitting || failed !== undefined || this.#closed) {
      this.#scheduler.stop()
      return
    }
    const { group, hasWork, waitingList } = this.#membership
    this.#scheduler.reconsider({
      group: group.public,
      ownLeaf: group.leafIndex,
      present: this.#present,
      work: hasWork,
      onlyOurs: waitingList.hasInvitees,
    })
  }

  /**
   * Tells the group that we leave. Where nobody else is in it, the keyserver closes it at once
   * instead of after the grace period, and whoever comes next need not wait.
   * @throws SessionError
   */
  async sayGoodbye(): Promise<void> {
    for (let attempt = 0; attempt < goodbyeAttempts && !this.#closed; attempt++) {
      const { group } = this
      const message = await group.proposeSelfRemove()
      const reply = await this.#link.request('propose', { groupId: group.groupId, message })
      if (reply.ok) return
      // It may have been for an epoch that is over.
      await this.#log.catchUp()
      if (this.group.epoch === group.epoch) return
    }
  }

  /** Wipes every secret. */
  close(): void {
    this.#closed = true
    this.#scheduler.stop()
    this.#healing.stop()
    this.#keeper.stop()
    this.#reports.settled()
    this.#log.close()
    this.#membership.close()
  }

  #readerHost(): LogReaderHost {
    const host = this.#host
    const entered = () => this.#entered
    const membership = this.#membership
    return {
      get group() {
        return membership.group
      },
      get canGiveBack() {
        return (entered()?.minor ?? 0) >= 1 && membership.failed === undefined
      },
      run: (step) => host.run(step),
      apply: (entry) => this.#apply(entry),
      told: (waiting, present) => {
        this.waitingChanged(waiting)
        this.presentChanged(present)
      },
      recovered: async () => {
        if (this.#entered !== undefined) await this.#attach(this.#entered.nonce)
      },
      lost: (error) => host.lost(error),
      over: () => host.end('closed', closedByKeyserver()),
    }
  }

  /**
   * @returns why the keyserver does not know of our leaf, where it does not
   * @throws SessionError
   */
  async #attach(nonce: Bytes): Promise<SessionError | undefined> {
    const { groupId, leafIndex } = this.group
    const content = presenceTbs(groupId, leafIndex, nonce)
    const signature = await this.group.sign(presenceLabel, content)
    const attached = await this.#link.request('attach', { groupId, leafIndex, signature })
    if (attached.ok) {
      this.#attachedAt = attached.head ?? 0
      if (this.group.public.pendingRemovals.has(leafIndex)) this.#condemnedAt ??= 0
      return undefined
    }
    const error = refusal(attached)
    if (attached.code === 'presence-invalid') return error
    throw error
  }

  async #apply(entry: LogEntry): Promise<void> {
    const outcome = await this.#membership.apply(entry)
    if (this.#closed) return
    switch (outcome.kind) {
      case 'proposal':
        if (this.group.public.pendingRemovals.has(this.group.leafIndex)) {
          this.#condemnedAt ??= entry.seq
        }
        return
      case 'ignored':
        return this.#host.problem(outcome.error)
      case 'failed':
        if ((this.#entered?.minor ?? 0) < 1) return this.#giveUp()
        this.#host.problem(inapplicable(outcome.error))
        return this.#reports.commitFailed(entry.seq)
      case 'voided':
        this.#scheduler.epochBegan()
        return this.#reports.settled()
      case 'epoch':
        this.#condemnedAt = undefined
        this.#present = without(this.#present, outcome.effect.removed)
        this.#scheduler.epochBegan()
        if (outcome.effect.proposals.committer === this.group.leafIndex) this.#healing.renewed()
        this.#reports.commitApplied(entry.seq)
        this.#keeper.soon()
        return this.#host.epochBegan(this.group, outcome.effect)
      case 'removed':
        return this.#wasAway && removedByKeyserver(outcome.effect, this.group)
          ? this.#host.lost(absentForTooLong())
          : this.#host.removed(outcome.effect)
      case 'inapplicable':
        return this.#host.lost(inapplicable(outcome.error))
      case 'contradicted':
        // Going back an epoch might bring back whom it had removed.
        return this.#host.end('failed', inapplicable(outcome.error))
    }
  }

  /** Whether no connection of ours spoke for our leaf when it was to be removed. */
  get #wasAway(): boolean {
    return this.#away || (this.#condemnedAt !== undefined && this.#condemnedAt <= this.#attachedAt)
  }

  #giveUp(): void {
    const { failed } = this.#membership
    if (failed !== undefined) this.#host.lost(inapplicable(failed.error))
  }

  /** `renewing` also where nothing is to be committed but new keys of our own. */
  async #commit({ renewing = false } = {}): Promise<void> {
    const membership = this.#membership
    if (membership.isCommitting || membership.failed !== undefined) return
    const { public: group, leafIndex } = membership.group
    if (group.pendingRemovals.has(leafIndex)) return
    try {
      const worthwhile = renewing || membership.hasWork
      const pending = worthwhile ? await membership.makeCommit({ renewing }) : undefined
      if (pending !== undefined) {
        // If the log has it and we crash, only what is kept of it makes it apply here.
        await this.#keeper.now()
        if (!this.#closed) this.#send(pending)
      }
    } catch (error) {
      if (this.#closed || !(error instanceof ConclaveError)) throw error
      membership.discardPending()
      this.#scheduler.refused()
      this.#host.problem(error)
    }
    this.reconsider()
  }

  /**
   * Offers a commit to the log, beside the lane: while the answer is out, the log goes on and may
   * decide against it. Resending one that has won is harmless.
   */
  #send(pending: PendingCommit): void {
    const { lastSeq: after, group } = this.#membership
    const { message, groupInfo, welcome = null } = pending
    const upload = { groupId: group.groupId, after, message, welcome, groupInfo }
    this.#sent = pending
    const answer = this.#link.request('commit', upload).finally(() => {
      if (this.#sent === pending) this.#sent = undefined
    })
    answer.then(
      (reply) => this.#host.run(() => this.#answered(pending, reply)),
      // The log decides: after reconnecting it is there, or it is sent again.
      (error: unknown) => this.#host.run(() => Promise.reject(error)),
    )
  }

  async #answered(pending: PendingCommit, reply: ReplyTo<'commit'>): Promise<void> {
    if (this.#membership.pending !== pending) return
    if (reply.ok) await this.#accepted(pending, reply.seq)
    else await this.#declined(reply)
    this.reconsider()
  }

  async #accepted(pending: PendingCommit, seq: number): Promise<void> {
    await this.#log.take([{ seq, message: pending.message }])
    if (this.#log.hasGap) await this.#log.catchUp()
    if (this.#closed || this.#membership.pending !== pending) return
    throw violated('the log lacks a commit that it has accepted')
  }

  async #declined(reply: Extract<ReplyTo<'commit'>, { ok: false }>): Promise<void> {
    if (reply.code === 'group-unknown') return this.#host.end('closed', closedByKeyserver())
    // It may be in the log, and only what we keep of it makes it apply here: it is sent again.
    if (undecided.includes(reply.code)) throw refusal(reply)
    const { epoch } = this.group
    this.#membership.discardPending()
    await this.#log.take(reply.missed ?? [])
    const late = reply.code === 'epoch-mismatch'
    if (this.#log.hasGap || (late && this.group.epoch === epoch)) await this.#log.catchUp()
    // Of all that a commit carries, only what we have claimed was never seen by the keyserver.
    if (reply.detail === 'key-package-used') this.#membership.waitingList.refuseInvitees()
    const decided = this.group.epoch !== epoch || this.#membership.failed !== undefined
    if (this.#closed || (late && decided)) return
    this.#scheduler.refused()
    this.#host.problem(refusal(reply))
  }
}

/** Whoever has their leaves next has to come first. */
function without(present: ReadonlySet<number>, removed: readonly number[]): ReadonlySet<number> {
  return removed.length === 0
    ? present
    : new Set([...present].filter((leaf) => !removed.includes(leaf)))
}

/**
 * Whoever is absent for the grace period is removed by a proposal of the keyserver's. Who is removed
 * at somebody's word does not come back by itself.
 */
function removedByKeyserver({ proposals }: CommitEffect, { leafIndex }: Group): boolean {
  return proposals.removes.some(
    ({ leafIndex: removed, sender, authenticatedData = emptyBytes }) =>
      removed === leafIndex &&
      sender.senderType === SenderType.external &&
      readRemovalEnvelope(authenticatedData)?.reason !== 'removed',
  )
}
