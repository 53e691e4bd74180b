import { type Bytes, equalBytes } from '@conclave/core/codec'
import { type LogEntry, packEntries } from '@conclave/core/delivery'
import type { LeafIndex } from '@conclave/core/wire'
import type { AppendCommitOutcome, GroupKey, ReturnedAppend, WaitingEntry } from '../store/store.ts'
import { StoreError } from '../store/storeError.ts'
import { commitAppend } from './commitAppend.ts'
import {
  type CommitUpload,
  FollowedGroup,
  type VerifiedCommit,
  type VerifiedProposal,
} from './followedGroup.ts'
import { FollowedLog, newestSnapshot } from './followedLog.ts'
import { type FreshCommit, UnansweredCommits } from './freshCommit.ts'
import { verifyGivenBack } from './givenBack.ts'
import type { GroupLogOptions } from './groupLogOptions.ts'
import {
  type CommitMessage,
  type ProposalMessage,
  readCommit,
  readGroupInfo,
  readProposal,
  readRatchetTree,
} from './messages.ts'
import { ended, OrderingError, type PackedRefusal, refuse, refuseFor } from './orderingError.ts'

/** `fresh` is undefined where the very same message had been appended before. */
export interface Ordered<Fresh> {
  readonly ok: true
  readonly seq: number
  readonly fresh: (Fresh & { readonly entry: LogEntry }) | undefined
}
export type OrderedProposal = Ordered<{
  /** Its type. */
  readonly proposes: number
  readonly removes: LeafIndex | undefined
  readonly sender: LeafIndex | undefined
}>
export type OrderedCommit = Ordered<FreshCommit>

/**
 * A group's log over a store that other keyservers may share: verifies against the group as it is
 * known here, then lets the store's compare-and-append decide. What is known here may be behind:
 * whatever is refused by it is looked at again after catching up. Calls must not overlap.
 */
export class GroupLog extends FollowedLog {
  readonly #options: GroupLogOptions
  readonly #unanswered = new UnansweredCommits()

  private constructor(key: GroupKey, options: GroupLogOptions, followed: FollowedGroup) {
    super(key, options, followed)
    this.#options = options
  }

  /**
   * Founds a meeting's group, by compare-and-set.
   * @param founding MLSMessage with a GroupInfo of epoch 0, and its ratchet tree
   */
  static async found(
    meetingId: string,
    founding: { readonly groupInfo: Bytes; readonly ratchetTree: Bytes },
    options: GroupLogOptions,
  ): Promise<
    { readonly ok: true; readonly log: GroupLog; readonly fresh: boolean } | PackedRefusal
  > {
    const { store, crypto, policy, graceMs, meetingMs } = options
    const now = options.now()
    let followed: FollowedGroup
    const unhashed = { seq: 0, ...founding, overdue: [] }
    try {
      checkFounding(founding)
      followed = await FollowedGroup.open(crypto, policy, unhashed, now)
    } catch (error) {
      return refuseFor('message-invalid', error)
    }
    const { groupId, treeHash } = followed.publicGroup.groupContext
    const key = { meetingId, groupId }
    const snapshot = { ...unhashed, treeHash }
    const times = { now, dueAt: now + graceMs, expiresAt: now + meetingMs }
    const created = await store.createGroup({ key, snapshot, ...times })
    if (created.outcome === 'exists' && !created.same) {
      return refuse('meeting-exists', 'the meeting has a group', { group: created.group })
    }
    const log = new GroupLog(key, options, followed)
    if (created.outcome === 'exists') await log.catchUp()
    return { ok: true, log, fresh: created.outcome === 'created' }
  }

  /** Follows a group that this or another keyserver has founded; undefined if there is none. */
  static async load(key: GroupKey, options: GroupLogOptions): Promise<GroupLog | undefined> {
    const followed = await newestSnapshot(key, options)
    if (followed === undefined) return undefined
    const log = new GroupLog(key, options, followed)
    await log.catchUp()
    return log
  }

  /** Follows a group from a state of it that has been verified. */
  static following(key: GroupKey, options: GroupLogOptions, followed: FollowedGroup): GroupLog {
    return new GroupLog(key, options, followed)
  }

  /** @param options `own`: the keyserver's own proposal, not a member's */
  async propose(
    message: Bytes,
    options: { readonly own?: boolean } = {},
  ): Promise<OrderedProposal | PackedRefusal> {
    const { store } = this.#options
    const own = options.own === true
    let proposal: ProposalMessage
    try {
      proposal = readProposal(message)
    } catch (error) {
      return refuseFor('message-invalid', error)
    }
    // The very same proposal may have been appended through another instance.
    if (store.shared) await this.catchUp()
    const verified = await this.#upToDate(() => this.#verifyProposal(proposal, message.length, own))
    if (!verified.ok) return verified
    if ('seq' in verified) return { ok: true, seq: verified.seq, fresh: undefined }
    const { removes, sender, now } = verified.proposal
    const { proposalType: proposes } = proposal.content.proposal
    const { epoch } = this.followed
    const leaving = removes !== undefined && removes === sender ? removes : null
    const appended = await store.appendProposal(this.key, { epoch, message, now, leaving })
    switch (appended.outcome) {
      case 'appended': {
        const { seq } = appended
        await this.advance(verified.proposal.appendedAt(seq), message)
        return { ok: true, seq, fresh: { entry: { seq, message }, proposes, removes, sender } }
      }
      case 'epoch-mismatch':
        await this.catchUp()
        return otherEpochThan(this.followed.epoch)
      case 'group-unknown':
        return ended()
    }
  }

  /** @param upload `after`: the newest entry that the committer had processed */
  async commit(
    upload: CommitUpload & { readonly message: Bytes; readonly after: number },
  ): Promise<OrderedCommit | PackedRefusal> {
    let message: CommitMessage
    try {
      message = readCommit(upload.message)
    } catch (error) {
      return refuseFor('message-invalid', error)
    }
    if (!equalBytes(message.content.groupId, this.key.groupId)) {
      return refuse('group-unknown', 'the commit is for another group')
    }
    const verify = () => this.#verifyCommit(message, upload)
    const verified = await this.#upToDate(verify, { comparing: true })
    if (!verified.ok) {
      if (verified.code === 'epoch-mismatch') return this.#otherEpoch(message, upload)
      const stalls = verified.detail === 'commit-omits-removal' || verified.detail === 'commit-lags'
      return stalls ? { ...verified, ...(await this.#missedSince(upload.after)) } : verified
    }
    return this.#appendCommit(message, upload, verified.commit)
  }

  /** Tells what commits have brought about that the store took in without an answer, each once. */
  async tellUnanswered(tell: (fresh: FreshCommit) => void): Promise<void> {
    for (const epoch of this.#unanswered.epochsBefore(this.followed.epoch)) {
      const won = await this.#options.store.findCommit(this.key, epoch)
      const settled = won && this.#unanswered.settle(epoch, won.message)?.fresh(won.seq)
      this.#unanswered.forget(epoch)
      if (settled !== undefined) tell(settled)
    }
  }

  /** Undoes the commit at the log's end; undefined where the log has gone on. */
  async undo(message: Bytes): Promise<{ readonly seq: number } | undefined> {
    const { store, now, graceMs } = this.#options
    const { undoable, epoch } = this.followed
    if (undoable === undefined) return undefined
    const { seq: voided, added, removed } = undoable
    const times = { now: now(), dueAt: now() + graceMs }
    const change = { epoch, voided, message, added, removed, ...times }
    const appended = await store.appendVoid(this.key, change)
    await this.catchUp()
    return appended.outcome === 'appended' ? appended : undefined
  }

  /**
   * Appends entries that the log had lost, which go on from its end.
   * @param groupInfo of the epoch after them
   */
  async giveBack(
    entries: readonly LogEntry[],
    groupInfo: Bytes,
  ): Promise<
    | { readonly ok: true; readonly head: number; readonly entries: readonly LogEntry[] }
    | PackedRefusal
  > {
    const { store } = this.#options
    let returned: ReturnedAppend | undefined
    try {
      returned = await verifyGivenBack(this.followed, entries, groupInfo, this.#options)
    } catch (error) {
      return refuseFor('entries-inapplicable', error)
    }
    if (returned === undefined) {
      const appended: LogEntry[] = []
      for (const { message } of entries) {
        const proposed = await this.propose(message, { own: true })
        if (!proposed.ok) return proposed
        // Another instance's proposal may have come between.
        appended.push({ seq: proposed.seq, message })
      }
      return { ok: true, head: this.followed.head, entries: appended }
    }
    const appended = await store.appendReturned(this.key, returned)
    await this.catchUp()
    if (appended.outcome === 'group-unknown') return ended()
    if (appended.outcome === 'appended') return { ok: true, head: appended.seq, entries }
    return refuse('entries-inapplicable', 'the log has gone on')
  }

  /** What a refusal says may be said of a group that others have changed: it is tried once more. */
  async #upToDate<T extends { readonly ok: true }>(
    verify: () => Promise<T | PackedRefusal>,
    { comparing = false } = {},
  ): Promise<T | PackedRefusal> {
    const { shared } = this.#options.store
    // Where the store has lost the log's end, an epoch of the same number may be another one.
    const replacing = comparing && shared ? this.isReplaced() : false
    const [first, isReplaced] = await Promise.all([verify(), replacing])
    if (!shared || (first.ok && !isReplaced)) return first
    return (await this.catchUp()) ? await verify() : first
  }

  async #verifyProposal(
    proposal: ProposalMessage,
    bytes: number,
    own: boolean,
  ): Promise<
    | { readonly ok: true; readonly seq: number }
    | { readonly ok: true; readonly proposal: VerifiedProposal }
    | PackedRefusal
  > {
    const place = this.followed.placeOf(proposal)
    if (place !== undefined) return { ok: true, seq: place }
    const { epoch } = this.followed
    try {
      if (proposal.content.epoch !== BigInt(epoch)) return otherEpochThan(epoch)
      const verified = await this.followed.verifyProposal(proposal, bytes, this.#options.now())
      if (!own && verified.sender === undefined) {
        throw new OrderingError('message-kind-unexpected', 'only members propose')
      }
      if (!verified.hasRoom) {
        return refuse('rate-limited', 'the epoch has as many proposals as it may', {
          detail: 'epoch-full',
        })
      }
      return { ok: true, proposal: verified }
    } catch (error) {
      return refuseFor('message-invalid', error)
    }
  }

  async #verifyCommit(
    message: CommitMessage,
    upload: CommitUpload & { readonly message: Bytes },
  ): Promise<{ readonly ok: true; readonly commit: VerifiedCommit } | PackedRefusal> {
    const { epoch } = this.followed
    try {
      if (message.content.epoch !== BigInt(epoch)) return otherEpochThan(epoch)
      const now = this.#options.now()
      const commit = await this.followed.verifyCommit(message, upload.message, upload, now)
      return { ok: true, commit }
    } catch (error) {
      return refuseFor('message-invalid', error)
    }
  }

  async #appendCommit(
    message: CommitMessage,
    upload: CommitUpload & { readonly message: Bytes; readonly after: number },
    verified: VerifiedCommit,
  ): Promise<OrderedCommit | PackedRefusal> {
    const commit = commitAppend(this.followed, upload, verified, this.#options)
    const before = this.followed.publicGroup
    const freshAt = (seq: number, admitted: readonly WaitingEntry[]): FreshCommit => {
      const { added, removed, welcomeParts, publicGroup: after } = verified
      const entry = { seq, message: upload.message }
      return { entry, added, removed, welcomeParts, admitted, before, after }
    }
    let appended: AppendCommitOutcome
    try {
      appended = await this.#options.store.appendCommit(this.key, commit)
    } catch (error) {
      const { epoch, message } = commit
      const unanswered = { epoch, message, fresh: (seq: number) => freshAt(seq, []) }
      if (error instanceof StoreError) this.#unanswered.add(unanswered)
      throw error
    }
    switch (appended.outcome) {
      case 'appended': {
        const { seq, admitted } = appended
        await this.advance(verified.appendedAt(seq, commit.snapshot !== null), upload.message)
        return { ok: true, seq, fresh: freshAt(seq, admitted) }
      }
      case 'epoch-mismatch':
        await this.catchUp()
        return this.#otherEpoch(message, upload)
      case 'ref-used':
        return refuse('message-invalid', 'the commit adds a KeyPackage that was used before', {
          detail: 'key-package-used',
        })
      case 'too-often':
        return refuse('rate-limited', 'this leaf commits too often', { detail: 'commit-too-often' })
      case 'offers-missing':
        return refuse('reinit-unready', 'not everyone has offered a KeyPackage', {
          leaves: appended.leaves,
        })
      case 'group-unknown':
        return ended()
    }
  }

  /** A commit of an epoch that is over, or not there yet: it won before, or it lost. */
  async #otherEpoch(
    { content }: CommitMessage,
    { message, after }: { readonly message: Bytes; readonly after: number },
  ): Promise<OrderedCommit | PackedRefusal> {
    const epoch = Number(content.epoch)
    const won = await this.#options.store.findCommit(this.key, epoch)
    if (won !== undefined && equalBytes(won.message, message)) {
      const fresh = this.#unanswered.settle(epoch, message)?.fresh(won.seq)
      return { ok: true, seq: won.seq, fresh }
    }
    return { ...otherEpochThan(this.followed.epoch), ...(await this.#missedSince(after)) }
  }

  /** What a committer has to see before it tries again. */
  async #missedSince(after: number): Promise<Pick<PackedRefusal, 'missed'>> {
    const page = await this.page(after)
    return page.ok ? { missed: packEntries(page.entries) } : {}
  }
}

function otherEpochThan(epoch: number): PackedRefusal {
  return refuse('epoch-mismatch', `the group is in epoch ${epoch}`)
}

/** @throws CodecError, OrderingError `founding-invalid` */
function checkFounding(founding: { readonly groupInfo: Bytes; readonly ratchetTree: Bytes }): void {
  const { groupContext } = readGroupInfo(founding.groupInfo)
  const nodes = readRatchetTree(founding.ratchetTree)
  if (groupContext.epoch !== 0n || nodes.length !== 1 || groupContext.groupId.length !== 16) {
    throw new OrderingError('founding-invalid', 'a group is founded by one member, in epoch 0')
  }
}
