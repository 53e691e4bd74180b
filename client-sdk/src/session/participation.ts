import type { Clock, ConclaveError, RandomBytes } from '@conclave/core'
import type { LogEntry, WaitingJoiner } from '@conclave/core/delivery'
import type { Group } from '@conclave/core/mls/group'
import type { RoomBond } from '../rooms/roomBond.ts'
import { CommitReports } from './commitReports.ts'
import { Committing } from './committing.ts'
import type { Agreed, Continuation } from './continuation.ts'
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
  rolledBack,
} from './participationErrors.ts'
import { Presence } from './presence.ts'
import { StateKeeper } from './stateKeeper.ts'

/** Epochs that may end while `sayGoodbye` tells the group. */
const goodbyeAttempts = 5

export interface ParticipationEnvironment {
  readonly link: Pick<DeliveryLink, 'request'>
  readonly clock: Clock
  readonly random: RandomBytes
  /** What the group branches off, where it is a breakout room's. */
  readonly room?: RoomBond | undefined
  readonly continuation?: Continuation | undefined
}

/** How our part in a group begins. */
export interface Beginning {
  /** The newest entry that the group's state includes, where we know it: the log must have the same. */
  readonly entry?: LogEntry | undefined
  /** Whether the state comes from the store. */
  readonly restored?: boolean
  /** How the group was agreed upon that continues the one in which we were. */
  readonly continues?: Agreed
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
  /** @param isRemoved whether our leaf has been removed, for absence */
  lost(error: ConclaveError, isRemoved: boolean): void
}

/**
 * Our part in a group, from the epoch that we entered in: follows its log, and commits when it is
 * our turn. The session calls one method at a time; `close` may come at any time.
 */
export class Participation {
  readonly #membership: Membership
  readonly #log: LogReader
  readonly #reports: CommitReports
  readonly #presence: Presence
  readonly #committing: Committing
  readonly #healing: Healing
  readonly #keeper: StateKeeper
  readonly #link: Pick<DeliveryLink, 'request'>
  readonly #host: ParticipationHost
  readonly #continuation: Continuation | undefined
  #entered: Pick<Entered, 'nonce' | 'minor'> | undefined
  #closed = false

  constructor(
    membership: Membership,
    { entry, restored = false }: Beginning,
    { link, clock, random, room, continuation }: ParticipationEnvironment,
    host: ParticipationHost,
  ) {
    const { group } = membership
    this.#membership = membership
    membership.room = room
    membership.continuation = continuation
    this.#continuation = continuation
    this.#link = link
    this.#host = host
    this.#log = new LogReader(link, clock, membership.lastSeq, entry, this.#readerHost())
    this.#reports = new CommitReports(this.#membership, link, clock, {
      run: (step) => host.run(step),
      catchUp: () => this.#log.catchUp(),
      giveUp: () => this.#giveUp(),
    })
    this.#presence = new Presence(link)
    this.#committing = new Committing(membership, this.#log, link, clock, {
      run: (step) => host.run(step),
      keep: () => this.#keeper.now(),
      problem: (error) => host.problem(error),
      over: () => host.end('closed', closedByKeyserver()),
      unready: (leaves) => continuation?.unready(leaves),
    })
    this.#healing = new Healing(clock, random, () =>
      host.run(() => this.#committing.commit({ renewing: true })),
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

  /** The leaves whose members are connected, as the keyserver says. */
  get present(): ReadonlySet<number> {
    return this.#committing.present
  }

  /** Whether another group is to continue this one, in which nothing is sent any more. */
  get isFrozen(): boolean {
    return this.#membership.isFrozen
  }

  /** Takes the last entries of a log in that is over. What they do to us, they do because we were away. */
  async take(entries: readonly LogEntry[]): Promise<void> {
    if (entries.length > 0) this.#presence.connected()
    await this.#log.take(entries)
  }

  /**
   * Takes up the log where it was left, and says which leaf this connection speaks for.
   * @throws SessionError
   */
  async follow(entered: Pick<Entered, 'nonce' | 'minor'>): Promise<void> {
    this.#entered = entered
    this.#presence.connected()
    await this.#log.catchUp({ comparing: (entered.minor ?? 0) >= 1 })
    if (this.#closed) return
    await this.#attach(entered)
    if (this.#closed) return
    this.#presence.caughtUp()
    await this.#membership.restorePending()
    this.#committing.sendAgain()
    this.#reports.connected()
    this.#continuation?.connected()
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

  async waitingChanged(joiners: readonly WaitingJoiner[]): Promise<void> {
    // News that was lost had a KeyPackage that we are not sent again, unless we ask.
    if (!this.#membership.waitingList.update(joiners)) await this.#log.catchUp()
  }

  /** The meeting that this room branches off has gone on. */
  parentChanged(): void {
    this.#membership.waitingList.parentChanged()
    this.reconsider()
  }

  presentChanged(leaves: readonly number[]): void {
    this.#committing.presentChanged(leaves)
  }

  /** Who has nothing yet for the group that is to continue this one. */
  offered(missing: readonly number[]): void {
    this.#continuation?.offered(missing)
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
    this.#committing.reconsider()
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
    this.#committing.close()
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
        this.#membership.waitingList.update(waiting)
        this.presentChanged(present)
      },
      recovered: async () => {
        if (this.#entered !== undefined) await this.#attach(this.#entered)
      },
      lost: (error) => host.lost(error, false),
      over: () => host.end('closed', closedByKeyserver()),
    }
  }

  /** Says which leaf this connection speaks for. */
  async #attach({ nonce }: Pick<Entered, 'nonce'>): Promise<void> {
    if ((await this.#presence.attach(this.group, nonce)) === undefined) return
    // Meanwhile our leaf may have been removed.
    await this.#log.catchUp()
    if (this.#closed) return
    const unknown = await this.#presence.attach(this.group, nonce)
    // Whoever came by a Welcome that the log has lost does not know the entry that was in its place.
    if (unknown !== undefined) throw rolledBack(unknown)
  }

  async #apply(entry: LogEntry): Promise<void> {
    const outcome = await this.#membership.apply(entry)
    if (this.#closed) return
    switch (outcome.kind) {
      case 'proposal':
        this.#presence.proposed(entry.seq, this.group)
        return this.#continuation?.proposed()
      case 'ignored':
        return this.#host.problem(outcome.error)
      case 'failed':
        if ((this.#entered?.minor ?? 0) < 1) return this.#giveUp()
        this.#host.problem(inapplicable(outcome.error))
        return this.#reports.commitFailed(entry.seq)
      case 'voided':
        this.#committing.epochBegan([])
        return this.#reports.settled()
      case 'epoch':
        this.#presence.epochBegan()
        this.#committing.epochBegan(outcome.effect.removed)
        if (outcome.effect.proposals.committer === this.group.leafIndex) this.#healing.renewed()
        this.#reports.commitApplied(entry.seq)
        this.#keeper.soon()
        this.#host.epochBegan(this.group, outcome.effect)
        return this.#continuation?.epochBegan(this.group, outcome.effect)
      case 'removed':
        return this.#presence.removedForAbsence(outcome.effect, this.group)
          ? this.#host.lost(absentForTooLong(), true)
          : this.#host.removed(outcome.effect)
      case 'inapplicable':
        return this.#host.lost(inapplicable(outcome.error), false)
      case 'contradicted':
        // Going back an epoch might bring back whom it had removed.
        return this.#host.end('failed', inapplicable(outcome.error))
    }
  }

  #giveUp(): void {
    const { failed } = this.#membership
    if (failed !== undefined) this.#host.lost(inapplicable(failed.error), false)
  }
}
