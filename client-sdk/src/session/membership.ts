import { ConclaveError } from '@conclave/core'
import { type Bytes, encode, equalBytes } from '@conclave/core/codec'
import {
  CommitEnvelope,
  type LogEntry,
  type RequestOf,
  readVoid,
  type VoidEntry,
} from '@conclave/core/delivery'
import type { CommitEffect, Group, PendingCommit, Received } from '@conclave/core/mls/group'
import type { PublicGroup } from '@conclave/core/mls/public'
import { type CommitContent, ProposalType } from '@conclave/core/wire'
import type { RoomBond } from '../rooms/roomBond.ts'
import { awaitParent } from '../rooms/roomEntry.ts'
import { commitIn } from './commitClaims.ts'
import type { Continuation } from './continuation.ts'
import { uploadedGroupInfo } from './enterMeeting.ts'
import type { EntryOutcome } from './entryOutcome.ts'
import { type FailedCommit, type HeadCommit, undone, wordOn } from './headCommit.ts'
import type { KeptMembership } from './keptPlace.ts'
import { withRequests } from './meetingEffect.ts'
import type { Readiness } from './nextOffer.ts'
import { RemovalWatch } from './removalWatch.ts'
import { SessionError } from './sessionError.ts'
import { type Joiner, WaitingList } from './waitingList.ts'

type KeptCommit = NonNullable<KeptMembership['pending']>

/** Entries of one epoch that are no commits: a keyserver that keeps its limits lets fewer through. */
const maxEntriesPerEpoch = 8192

/**
 * Our place in the meeting's group: takes in the log, entry by entry, and makes commits. Calls must
 * not overlap, except for `close`.
 */
export class Membership {
  readonly waitingList = new WaitingList()
  /** What the group branches off, where it is a breakout room's. */
  room: RoomBond | undefined
  /** Says whether a ReInit is to be committed, where somebody has proposed one. */
  continuation: Pick<Continuation, 'readiness'> | undefined
  #group: Group
  #removals: RemovalWatch
  #pending: PendingCommit | undefined
  #lastSeq: number
  #head: HeadCommit | undefined
  #entriesInEpoch = 0
  #closed = false
  /** A commit from before a crash, of which the log may or may not know. */
  #kept: KeptCommit | undefined

  /** `lastSeq` is the newest entry that the group's state includes. */
  constructor(group: Group, lastSeq: number, removals = new RemovalWatch()) {
    this.#group = group
    this.#lastSeq = lastSeq
    this.#removals = removals
  }

  /** Goes on from a snapshot of `group`, of which this value takes over the secrets. */
  static restore(group: Group, { seq, removals, pending }: KeptMembership): Membership {
    const membership = new Membership(group, Number(seq), RemovalWatch.restore(removals))
    membership.#kept = pending
    return membership
  }

  get group(): Group {
    return this.#group
  }
  get pending(): PendingCommit | undefined {
    return this.#pending
  }
  get lastSeq(): number {
    return this.#lastSeq
  }

  /** All that a session needs to go on after a crash, to be stored and then wiped. */
  snapshot(): KeptMembership {
    const pending = this.#pending
    const { crypto } = this.#group.public
    return {
      // A commit that has failed here is to come again.
      seq: BigInt(this.failed === undefined ? this.#lastSeq : this.#lastSeq - 1),
      removals: this.#removals.state,
      group: this.#group.encodeState({ pastEpochs: false, tree: false }),
      tree: this.#group.public.tree,
      pending:
        pending === undefined
          ? copyOf(this.#kept)
          : { commitHash: crypto.hash(pending.message), commit: pending.encodeState() },
    }
  }

  /**
   * Where the log has not decided on a commit from before a crash, that is pending again. One that
   * cannot be read or does not fit is dropped: the log cannot have it.
   */
  async restorePending(): Promise<void> {
    const kept = this.#kept
    if (kept === undefined || this.#pending !== undefined) return
    try {
      this.#pending = await this.#restored(kept)
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
    } finally {
      this.#forgetKept()
    }
  }

  /** The commit at the log's end, where that failed here. */
  get failed(): FailedCommit | undefined {
    const { seq, error } = this.#head ?? {}
    return seq === undefined || error === undefined ? undefined : { seq, error }
  }

  /** @throws SessionError `session-ended` where `close` was called meanwhile */
  async apply({ seq, message }: LogEntry): Promise<EntryOutcome> {
    const commit = commitIn(message)
    if (this.room !== undefined && commit !== undefined) await awaitParent(this.room, commit)
    if (this.#closed) throw over()
    const undoing = readVoid(message)
    if (undoing !== undefined) return await this.#undo(seq, undoing)
    // The log goes on from a commit that we could not apply.
    if (this.failed !== undefined) return { kind: 'inapplicable', error: this.failed.error }
    this.#lastSeq = seq
    this.#head = undefined
    const before = this.#group.public
    const outcome = await this.#take({ seq, message }, commit)
    switch (outcome.kind) {
      case 'failed':
        this.#head = { seq, message, status: 'failed', error: outcome.error }
        return outcome
      case 'epoch':
      case 'removed':
        return { ...outcome, effect: await withRequests(outcome.effect, before) }
      default:
        return outcome
    }
  }

  /**
   * Our signed word on the commit at the log's end; undefined where that is another entry, none, or
   * a commit of our own, on which our word says nothing.
   */
  async statusOf(seq: number): Promise<RequestOf<'report'> | undefined> {
    const head = this.#head
    if (head?.seq !== seq) return undefined
    return await wordOn(head, this.#group)
  }

  async #take(
    { seq, message }: LogEntry,
    commit: CommitContent | undefined,
  ): Promise<EntryOutcome> {
    this.#entriesInEpoch += 1
    const kept = this.#kept
    if (kept !== undefined && equalBytes(kept.commitHash, this.#hash(message))) {
      try {
        this.#pending = await this.#restored(kept)
      } catch (error) {
        if (!(error instanceof ConclaveError)) throw error
        return { kind: 'inapplicable', error }
      }
    }
    const pending = this.#pending
    if (pending !== undefined && equalBytes(pending.message, message)) {
      this.#pending = undefined
      return this.#advance(this.#group.confirm(pending), pending.effect)
    }
    const excess = this.#excess()
    if (excess !== undefined) return { kind: 'inapplicable', error: excess }
    const fault = commit && this.#removals.faultOf(commit, this.#group.public)
    if (fault !== undefined) return { kind: 'failed', error: fault }
    const received = await this.#group.receive(message)
    if (this.#closed) {
      if (received.kind === 'commit') received.group.close()
      throw over()
    }
    return this.#outcomeOf(received, { seq, message }, commit !== undefined)
  }

  async #restored(kept: KeptCommit): Promise<PendingCommit> {
    const pending = await this.#group.restorePending(kept.commit.expose())
    if (!this.#closed) return pending
    pending.discard()
    throw over()
  }

  #forgetKept(): void {
    this.#kept?.commit.wipe()
    this.#kept = undefined
  }

  #hash(message: Bytes): Bytes {
    return this.#group.public.crypto.hash(message)
  }

  /** Whether a commit of ours may be in the log or on the way there. */
  get isCommitting(): boolean {
    return this.#pending !== undefined || this.#kept !== undefined
  }

  /** Whether there is anything that a commit should carry. */
  get hasWork(): boolean {
    if (this.isFrozen) return false
    return this.#mustCommit || this.waitingList.hasCandidates(this.#group.public)
  }

  /** Whether the group is to be continued by another, and has no more commits (RFC 9420 §12.4.2). */
  get isFrozen(): boolean {
    return this.#group.public.reInit !== undefined
  }

  /** Whether there is, beside newcomers. */
  get #mustCommit(): boolean {
    const { public: group, leafIndex } = this.#group
    const readiness = this.#readiness
    if (readiness === 'ready' || readiness === 'stale') return true
    return hasOtherThanReInit(group) || this.room?.mustRemove(group, leafIndex) === true
  }

  get #readiness(): Readiness {
    return this.continuation?.readiness(this.#group.public) ?? 'none'
  }

  /** Whether the next commit is the ReInit's, which has it to itself (RFC 9420 §12.2). */
  get #freezes(): boolean {
    return this.#readiness === 'ready' && !hasOtherThanReInit(this.#group.public)
  }

  /**
   * A commit of this epoch's proposals that adds those who wait, to be sent and then either seen
   * in the log or discarded. Undefined where nobody who waits can be added after all, unless it is
   * for `renewing` our own keys, too.
   * @throws ConclaveError
   */
  async makeCommit({ renewing = false } = {}): Promise<PendingCommit | undefined> {
    const { public: group, leafIndex } = this.#group
    let joiners = this.#freezes ? [] : await this.waitingList.choose(group, leafIndex)
    while (renewing || joiners.length > 0 || this.#mustCommit) {
      try {
        return await this.#commitWith(joiners)
      } catch (error) {
        const [joiner] = joiners
        if (this.#closed || joiner === undefined || !(error instanceof ConclaveError)) throw error
        // Somebody cannot stand beside the others, or beside a proposal. Halving finds out who;
        // those who are left out for now wait for the next commit.
        if (joiners.length === 1) this.waitingList.refuse(joiner.ref, error)
        joiners = joiners.slice(0, joiners.length >> 1)
      }
    }
    return undefined
  }

  /** Gives up a commit that the log will not have. */
  discardPending(): void {
    this.#pending?.discard()
    this.#pending = undefined
  }

  /** Wipes every secret. */
  close(): void {
    this.#closed = true
    this.discardPending()
    this.#forgetKept()
    this.waitingList.close(over())
    this.#group.close()
  }

  async #commitWith(joiners: readonly Joiner[]): Promise<PendingCommit> {
    const { public: current, leafIndex } = this.#group
    const reInit = joiners.length === 0 && this.#freezes
    const adds = joiners.map(
      ({ keyPackage }) => ({ proposalType: ProposalType.add, keyPackage }) as const,
    )
    const pending = await this.#group.commit({
      proposals: [...(this.room?.proposalsIn(current, leafIndex) ?? []), ...adds],
      authenticatedData: encode(CommitEnvelope, { seenSeq: BigInt(this.#lastSeq) }),
      groupInfo: uploadedGroupInfo,
      reInit,
    })
    if (this.#closed) {
      pending.discard()
      throw over()
    }
    this.#pending = pending
    return pending
  }

  #outcomeOf(received: Received, { seq, message }: LogEntry, isCommit: boolean): EntryOutcome {
    switch (received.kind) {
      case 'proposal':
        this.#removals.proposed(seq, received.ref, this.#group.public)
        return { kind: 'proposal' }
      case 'commit':
        this.discardPending()
        this.#head = { seq, message, status: 'applied' }
        return this.#advance(received.group, received.effect)
      case 'removed':
        this.discardPending()
        return { kind: 'removed', effect: received.effect }
      case 'application':
        return { kind: 'ignored', error: notInTheLog() }
      default:
        return isCommit
          ? { kind: 'failed', error: received.error }
          : { kind: 'ignored', error: received.error }
    }
  }

  /**
   * A commit of ours stays pending, if there is one: the log may have it after the void, and refuses
   * it if it does not.
   */
  async #undo(seq: number, entry: VoidEntry): Promise<EntryOutcome> {
    const outcome = await undone(entry, this.#head, this.#group, this.#lastSeq)
    this.#lastSeq = seq
    if (outcome.kind === 'voided') this.#head = undefined
    return outcome
  }

  #advance(group: Group, effect: CommitEffect): EntryOutcome {
    this.#group = group
    this.#forgetKept()
    this.room?.committed(effect)
    this.waitingList.epochBegan(group.public)
    this.#removals.committed(effect.removed)
    this.#entriesInEpoch = 0
    return { kind: 'epoch', effect }
  }

  #excess(): ConclaveError | undefined {
    if (this.#entriesInEpoch <= maxEntriesPerEpoch) return undefined
    return new SessionError('keyserver-protocol-violated', 'an epoch has no end of proposals')
  }
}

function hasOtherThanReInit({ proposals }: Pick<PublicGroup, 'proposals'>): boolean {
  for (const { proposal } of proposals.values()) {
    if (proposal.proposalType !== ProposalType.reInit) return true
  }
  return false
}

function copyOf(kept: KeptCommit | undefined): KeptCommit | undefined {
  return kept && { ...kept, commit: kept.commit.copy() }
}

function notInTheLog(): SessionError {
  return new SessionError('keyserver-protocol-violated', 'the log has handshakes and nothing else')
}

function over(): SessionError {
  return new SessionError('session-ended', 'the session is over')
}
