import type { Bytes } from '@conclave/core/codec'
import type { GroupSummary, LogEntry, WaitingJoiner } from '@conclave/core/delivery'

/** A meeting has at most one group at a time; all that is stored for a group is found under both. */
export interface GroupKey {
  readonly meetingId: string
  readonly groupId: Bytes
}

/** Public state from which a group can be followed on, right after the entry `seq`. */
export interface Snapshot {
  readonly seq: number
  /** MLSMessage with the GroupInfo of the epoch that begins there. */
  readonly groupInfo: Bytes
  /** `optional<Node> ratchet_tree<V>` */
  readonly ratchetTree: Bytes
  readonly treeHash: Bytes
  /** Leaves that the epoch before should have removed (RemovalLedger). */
  readonly overdue: readonly number[]
}

/** A log entry with what is needed to follow the group through it. */
export interface LogRecord extends LogEntry {
  /** The epoch that the message was made in. */
  readonly epoch: number
  /** When it was appended, in milliseconds since the Unix epoch. */
  readonly at: number
  readonly commit?: { readonly groupInfo: Bytes; readonly welcome: Bytes | null }
}

/** A joiner's own part of a Welcome, kept until it has been seen in the group or has expired. */
export interface WelcomePart {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly ref: Bytes
  readonly leafIndex: number
  /** MLSMessage with a Welcome that has this joiner's EncryptedGroupSecrets alone. */
  readonly welcome: Bytes
}

export interface WaitingEntry extends WaitingJoiner {
  /** The connection that waits; it alone can withdraw the entry. */
  readonly owner: string
  readonly expiresAt: number
}

export interface GroupFounding {
  readonly key: GroupKey
  readonly snapshot: Snapshot
  readonly now: number
}

export interface ProposalAppend {
  readonly epoch: number
  readonly message: Bytes
  readonly now: number
}

export interface CommitAppend {
  /** The epoch that the commit ends. */
  readonly epoch: number
  readonly message: Bytes
  readonly groupInfo: Bytes
  readonly welcome: Bytes | null
  readonly parts: readonly WelcomePart[]
  /** Leaves that the commit removes: no Welcome waits for them any more. */
  readonly removed: readonly number[]
  /** Public state after the commit; always with a Welcome, whose joiners need the tree. */
  readonly snapshot: Omit<Snapshot, 'seq' | 'groupInfo'> | null
  readonly now: number
  /** Until when the tree is kept at least; while a Welcome of this commit waits, it is kept anyway. */
  readonly treeUntil: number
  readonly welcomeUntil: number
  /** Until when a consumed KeyPackageRef is remembered. */
  readonly refUntil: number
}

export type CreateOutcome =
  | { readonly outcome: 'created' }
  /** `same`: the group that exists was founded by this very GroupInfo. */
  | { readonly outcome: 'exists'; readonly group: GroupSummary; readonly same: boolean }

export type AppendOutcome = { readonly outcome: 'appended'; readonly seq: number } | AppendFailure

export type AppendCommitOutcome =
  /** `admitted`: those who waited and whom the commit adds. */
  | {
      readonly outcome: 'appended'
      readonly seq: number
      readonly admitted: readonly WaitingEntry[]
    }
  /** The commit adds a KeyPackage that an earlier one added. */
  | { readonly outcome: 'ref-used' }
  | AppendFailure

export type AppendFailure =
  /** The group is in another epoch. */
  | { readonly outcome: 'epoch-mismatch'; readonly group: GroupSummary }
  /** The meeting has no such group (any more). */
  | { readonly outcome: 'group-unknown' }

export type WaitOutcome =
  /** `position` counts from 0; waiting twice with one KeyPackage is waiting once. */
  | { readonly outcome: 'waiting'; readonly position: number }
  | { readonly outcome: 'welcomed'; readonly part: WelcomePart; readonly seq: number }
  | { readonly outcome: 'used' }
  | { readonly outcome: 'full' }
  | { readonly outcome: 'group-unknown' }

/** Undefined where the meeting has no such group. */
export interface LogPage<T extends LogEntry> {
  readonly entries: readonly T[]
  readonly head: number
  /** Sequence numbers up to here have been trimmed. */
  readonly trimmed: number
}

/**
 * What ordering keeps. Every method is one atomic step: of several that compare and set at the same
 * time, from whichever keyserver, exactly one succeeds. What is verified is verified before.
 *
 * Times are milliseconds since the Unix epoch and come from the caller; what has expired by `now`
 * is as good as gone. Bytes that are handed in are not changed afterwards by either side.
 */
export interface Store {
  /** Whether what has been acknowledged survives a crash. */
  readonly durable: boolean

  currentGroup(meetingId: string): Promise<GroupSummary | null>
  /** Compare-and-set: the meeting has no group yet. */
  createGroup(founding: GroupFounding): Promise<CreateOutcome>
  /** Forgets the group and all that belongs to it; false where there is no such group. */
  closeGroup(key: GroupKey): Promise<boolean>

  /** Compare-and-append on (group, epoch). */
  appendProposal(key: GroupKey, proposal: ProposalAppend): Promise<AppendOutcome>
  /**
   * Compare-and-append on (group, epoch), which advances the epoch. In the same step stores
   * GroupInfo, Welcome and tree, consumes the KeyPackageRefs and takes them off the waiting list.
   */
  appendCommit(key: GroupKey, commit: CommitAppend): Promise<AppendCommitOutcome>

  /** At most `limit` entries after `after`, oldest first. */
  readLog(key: GroupKey, after: number, limit: number): Promise<LogPage<LogRecord> | undefined>
  /** The commit that ended `epoch`, unless it has been trimmed. */
  findCommit(key: GroupKey, epoch: number): Promise<LogEntry | undefined>
  /** The newest snapshot; the log after it is complete. */
  readSnapshot(key: GroupKey): Promise<Snapshot | undefined>
  /** The ratchet tree with this hash, while it is kept. */
  readTree(key: GroupKey, treeHash: Bytes, now: number): Promise<Bytes | undefined>

  /** Puts a joiner on the list, unless `limit` others wait. */
  addWaiting(
    key: GroupKey,
    entry: WaitingEntry,
    limits: { readonly waiting: number; readonly now: number },
  ): Promise<WaitOutcome>
  /** False where `owner` has no such entry. */
  withdrawWaiting(key: GroupKey, ref: Bytes, owner: string): Promise<boolean>
  /** Everybody who waits, longest first. */
  listWaiting(key: GroupKey, now: number): Promise<readonly WaitingEntry[]>
  /** The Welcome of whoever was added at `leafIndex` is not needed any more. */
  dropWelcome(key: GroupKey, leafIndex: number): Promise<void>

  close(): Promise<void>
}
