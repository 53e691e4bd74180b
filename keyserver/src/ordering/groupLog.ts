import { type Bytes, encode, equalBytes } from '@conclave/core/codec'
import type { PublicCrypto } from '@conclave/core/crypto/public'
import {
  type LogEntry,
  maxEntriesPerPage,
  maxPageBytes,
  packEntries,
} from '@conclave/core/delivery'
import type { GroupPolicy, PublicGroup } from '@conclave/core/mls/public'
import { type LeafIndex, RatchetTree } from '@conclave/core/wire'
import { snapshotCommits, treeMs, usedRefMs, welcomeMs } from '../limits.ts'
import type {
  CommitAppend,
  GroupKey,
  LogRecord,
  Store,
  WaitingEntry,
  WelcomePart,
} from '../store/store.ts'
import {
  type CommitUpload,
  FollowedGroup,
  type VerifiedCommit,
  type VerifiedProposal,
} from './followedGroup.ts'
import { readCommit, readGroupInfo, readProposal, readRatchetTree } from './messages.ts'
import { OrderingError, type PackedRefusal, refuse, refuseFor } from './orderingError.ts'

export interface GroupLogOptions {
  readonly store: Store
  readonly crypto: PublicCrypto
  readonly policy: GroupPolicy
  readonly now: () => number
}

/** `fresh` is undefined where the very same message had been appended before. */
export interface Ordered<Fresh> {
  readonly ok: true
  readonly seq: number
  readonly fresh: (Fresh & { readonly entry: LogEntry }) | undefined
}
export type OrderedProposal = Ordered<{
  readonly removes: LeafIndex | undefined
  readonly sender: LeafIndex | undefined
}>
export type OrderedCommit = Ordered<{
  readonly added: readonly LeafIndex[]
  readonly removed: readonly LeafIndex[]
  readonly welcomeParts: readonly WelcomePart[]
  /** Those who waited and whom the commit adds. */
  readonly admitted: readonly WaitingEntry[]
}>

/**
 * A group's log over a store that other keyservers may share: verifies against the group as it is
 * known here, then lets the store's compare-and-append decide. Calls must not overlap.
 */
export class GroupLog {
  readonly key: GroupKey
  readonly #options: GroupLogOptions
  #followed: FollowedGroup

  private constructor(key: GroupKey, options: GroupLogOptions, followed: FollowedGroup) {
    this.key = key
    this.#options = options
    this.#followed = followed
  }

  get followed(): FollowedGroup {
    return this.#followed
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
    const { store, crypto, policy, now } = options
    let followed: FollowedGroup
    const unhashed = { seq: 0, ...founding, overdue: [] }
    try {
      checkFounding(founding)
      followed = await FollowedGroup.open(crypto, policy, unhashed, now())
    } catch (error) {
      return refuseFor('message-invalid', error)
    }
    const { groupId, treeHash } = followed.publicGroup.groupContext
    const key = { meetingId, groupId }
    const snapshot = { ...unhashed, treeHash }
    const created = await store.createGroup({ key, snapshot, now: now() })
    if (created.outcome === 'exists' && !created.same) {
      return refuse('meeting-exists', 'the meeting has a group', { group: created.group })
    }
    const log = new GroupLog(key, options, followed)
    if (created.outcome === 'exists') await log.#catchUp()
    return { ok: true, log, fresh: created.outcome === 'created' }
  }

  /** Follows a group that this or another keyserver has founded; undefined if there is none. */
  static async load(key: GroupKey, options: GroupLogOptions): Promise<GroupLog | undefined> {
    const { store, crypto, policy, now } = options
    const snapshot = await store.readSnapshot(key)
    if (snapshot === undefined) return undefined
    const log = new GroupLog(
      key,
      options,
      await FollowedGroup.open(crypto, policy, snapshot, now()),
    )
    await log.#catchUp()
    return log
  }

  /** @param options `own`: the keyserver's own proposal, not a member's */
  async propose(
    message: Bytes,
    options: { readonly own?: boolean } = {},
  ): Promise<OrderedProposal | PackedRefusal> {
    const { store, now } = this.#options
    const own = options.own === true
    let verified: VerifiedProposal
    const { epoch } = this.#followed
    try {
      const proposal = readProposal(message)
      const place = this.#followed.placeOf(proposal)
      if (place !== undefined) return { ok: true, seq: place, fresh: undefined }
      if (proposal.content.epoch !== BigInt(epoch)) return otherEpochThan(epoch)
      verified = await this.#followed.verifyProposal(proposal, now())
      if (!own && verified.sender === undefined) {
        throw new OrderingError('message-kind-unexpected', 'only members propose')
      }
    } catch (error) {
      return refuseFor('message-invalid', error)
    }
    const appended = await store.appendProposal(this.key, { epoch, message, now: now() })
    switch (appended.outcome) {
      case 'appended': {
        const { seq } = appended
        await this.#advance(verified.appendedAt(seq))
        const { removes, sender } = verified
        return { ok: true, seq, fresh: { entry: { seq, message }, removes, sender } }
      }
      case 'epoch-mismatch':
        await this.#catchUp()
        return otherEpochThan(this.#followed.epoch)
      case 'group-unknown':
        return refuse('group-unknown', 'the group has ended')
    }
  }

  /** @param upload `after`: the newest entry that the committer had processed */
  async commit(
    upload: CommitUpload & { readonly after: number },
  ): Promise<OrderedCommit | PackedRefusal> {
    const { store, now } = this.#options
    let verified: VerifiedCommit
    let epoch: number
    try {
      const message = readCommit(upload.message)
      const sentIn = message.content.epoch
      // Another keyserver may be further on.
      if (sentIn > BigInt(this.#followed.epoch)) await this.#catchUp()
      epoch = this.#followed.epoch
      if (!equalBytes(message.content.groupId, this.key.groupId)) {
        return refuse('group-unknown', 'the commit is for another group')
      }
      if (sentIn !== BigInt(epoch)) return await this.#otherEpoch(sentIn, upload)
      verified = await this.#followed.verifyCommit(message, upload, now())
    } catch (error) {
      const refusal = refuseFor('message-invalid', error)
      return missesRemoval(error)
        ? { ...refusal, ...(await this.#missedSince(upload.after)) }
        : refusal
    }
    const commit = this.#commitAppend(upload, verified)
    const appended = await store.appendCommit(this.key, commit)
    switch (appended.outcome) {
      case 'appended': {
        const { seq, admitted } = appended
        await this.#advance(verified.appendedAt(seq, commit.snapshot !== null))
        const { added, removed, welcomeParts } = verified
        const entry = { seq, message: upload.message }
        return { ok: true, seq, fresh: { entry, added, removed, welcomeParts, admitted } }
      }
      case 'epoch-mismatch':
        await this.#catchUp()
        return this.#otherEpoch(BigInt(epoch), upload)
      case 'ref-used':
        return refuse('message-invalid', 'the commit adds a KeyPackage that was used before', {
          detail: 'key-package-used',
        })
      case 'group-unknown':
        return refuse('group-unknown', 'the group has ended')
    }
  }

  /** One page of the log after `after`. */
  async page(
    after: number,
  ): Promise<
    { readonly ok: true; readonly entries: readonly LogEntry[]; head: number } | PackedRefusal
  > {
    const page = await this.#options.store.readLog(this.key, after, maxEntriesPerPage)
    if (page === undefined) return refuse('group-unknown', 'the group has ended')
    if (after < page.trimmed || after > page.head) {
      return refuse('seq-out-of-range', `the log reaches from ${page.trimmed} to ${page.head}`)
    }
    return { ok: true, entries: fitting(page.entries).map(asEntry), head: page.head }
  }

  /** The ratchet tree of this epoch, or of one that a Welcome may still need. */
  async tree(treeHash: Bytes): Promise<Bytes | undefined> {
    const { publicGroup } = this.#followed
    if (equalBytes(publicGroup.groupContext.treeHash, treeHash)) return encodeTree(publicGroup)
    return await this.#options.store.readTree(this.key, treeHash, this.#options.now())
  }

  #commitAppend(upload: CommitUpload, verified: VerifiedCommit): CommitAppend {
    const now = this.#options.now()
    const { publicGroup, ledger } = verified
    const due = this.#followed.commitsSinceSnapshot + 1 >= snapshotCommits
    return {
      epoch: this.#followed.epoch,
      message: upload.message,
      groupInfo: upload.groupInfo,
      welcome: upload.welcome,
      parts: verified.welcomeParts,
      removed: verified.removed,
      snapshot:
        upload.welcome === null && !due
          ? null
          : {
              ratchetTree: encodeTree(publicGroup),
              treeHash: publicGroup.groupContext.treeHash,
              overdue: [...ledger.overdue],
            },
      now,
      treeUntil: now + treeMs,
      welcomeUntil: now + welcomeMs,
      refUntil: now + usedRefMs,
    }
  }

  /** A commit of an epoch that is over, or not there yet: it won before, or it lost. */
  async #otherEpoch(
    sentIn: bigint,
    { message, after }: { readonly message: Bytes; readonly after: number },
  ): Promise<OrderedCommit | PackedRefusal> {
    const won = await this.#options.store.findCommit(this.key, Number(sentIn))
    if (won !== undefined && equalBytes(won.message, message)) {
      return { ok: true, seq: won.seq, fresh: undefined }
    }
    return { ...otherEpochThan(this.#followed.epoch), ...(await this.#missedSince(after)) }
  }

  /** What a committer has to see before it tries again. */
  async #missedSince(after: number): Promise<Pick<PackedRefusal, 'missed'>> {
    const page = await this.page(after)
    return page.ok ? { missed: packEntries(page.entries) } : {}
  }

  /** Another keyserver's proposals may have come between. */
  async #advance(next: FollowedGroup): Promise<void> {
    if (next.head === this.#followed.head + 1) this.#followed = next
    else await this.#catchUp()
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const { store } = this.#options
      const page = await store.readLog(this.key, this.#followed.head, maxEntriesPerPage)
      if (page === undefined || page.entries.length === 0) return
      for (const record of page.entries) this.#followed = await this.#followed.replay(record)
    }
  }
}

function encodeTree(group: PublicGroup): Bytes {
  return encode(RatchetTree, group.tree.toRatchetTree())
}

function otherEpochThan(epoch: number): PackedRefusal {
  return refuse('epoch-mismatch', `the group is in epoch ${epoch}`)
}

function missesRemoval(error: unknown): boolean {
  return (
    error instanceof OrderingError &&
    (error.code === 'commit-omits-removal' || error.code === 'commit-lags')
  )
}

/** As many as fit a page, and one at least. */
function fitting(records: readonly LogRecord[]): readonly LogRecord[] {
  let bytes = 0
  const end = records.findIndex(({ message }, i) => {
    bytes += message.length
    return i > 0 && bytes > maxPageBytes
  })
  return end < 0 ? records : records.slice(0, end)
}

function asEntry({ seq, message }: LogRecord): LogEntry {
  return { seq, message }
}

/** @throws CodecError, OrderingError `founding-invalid` */
function checkFounding(founding: { readonly groupInfo: Bytes; readonly ratchetTree: Bytes }): void {
  const { groupContext } = readGroupInfo(founding.groupInfo)
  const nodes = readRatchetTree(founding.ratchetTree)
  if (groupContext.epoch !== 0n || nodes.length !== 1 || groupContext.groupId.length !== 16) {
    throw new OrderingError('founding-invalid', 'a group is founded by one member, in epoch 0')
  }
}
