import type { Bytes } from '@conclave/core/codec'
import type {
  EntryStatusName,
  GroupSummary,
  LogEntry,
  WaitingJoiner,
} from '@conclave/core/delivery'

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
  /** `void` undoes the commit before it (VoidEntry). */
  readonly kind: 'proposal' | 'commit' | 'void'
  /** The epoch that the message was made in; of a void the one that it ends. */
  readonly epoch: number
  /** When it was appended, in milliseconds since the Unix epoch. */
  readonly at: number
  /** What came with a commit; nothing where a client gave it back after it had been lost. */
  readonly upload?: { readonly groupInfo: Bytes; readonly welcome: Bytes | null }
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
  /** Whose connection that is; nobody else can take the place over. */
  readonly identity: string
  readonly expiresAt: number
}

export interface GroupFounding {
  readonly key: GroupKey
  readonly snapshot: Snapshot
  readonly now: number
  /** Until when the founder may be without a connection. */
  readonly dueAt: number
  /** When the meeting has lasted as long as one may. */
  readonly expiresAt: number
}

export interface ProposalAppend {
  readonly epoch: number
  readonly message: Bytes
  readonly now: number
  /** The leaf that leaves by this very proposal. */
  readonly leaving: number | null
}

export interface CommitAppend {
  /** The epoch that the commit ends. */
  readonly epoch: number
  /** The newest entry that it was verified after, and may refer to. */
  readonly after: number
  readonly message: Bytes
  readonly groupInfo: Bytes
  readonly welcome: Bytes | null
  readonly parts: readonly WelcomePart[]
  /** The leaf that commits; for an external commit the one that it takes. */
  readonly committer: number
  /** Commits of one leaf in `perMs` milliseconds. */
  readonly rate: { readonly commits: number; readonly perMs: number }
  /** Leaves that the commit adds, and until when they may be without a connection. */
  readonly added: readonly number[]
  readonly dueAt: number
  /** The same for those of them that have waited for it, and whose connection is there. */
  readonly joinedBy: number
  /** Leaves that the commit removes: no Welcome waits for them, no connection speaks for them. */
  readonly removed: readonly number[]
  /** For a commit that reinitialises the group: what has to be there by then, and stays. */
  readonly offers: OffersWanted | null
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
  /** The leaf has committed too often lately. */
  | { readonly outcome: 'too-often' }
  /** The group would be reinitialised without them. */
  | { readonly outcome: 'offers-missing'; readonly leaves: readonly number[] }
  | AppendFailure

/** The KeyPackage that a leaf's member enters the group with that continues this one. */
export interface Offer {
  readonly leaf: number
  readonly keyPackage: Bytes
  readonly cipherSuite: number
  /** When it expires. */
  readonly until: number
  /** Public keys that no two leaves of a group may have. */
  readonly keys: readonly Bytes[]
}

/** What a group is continued with: offers of these leaves, of one suite, good until then at least. */
export interface OffersWanted {
  readonly leaves: readonly number[]
  readonly cipherSuite: number
  readonly validUntil: number
}

export type OfferOutcome =
  /** `missing`: leaves without an offer that is wanted. */
  | { readonly outcome: 'offered'; readonly missing: readonly number[] }
  /** Another leaf has offered one of the keys. */
  | { readonly outcome: 'key-taken' }
  /** The leaf has another offer, and it counts. */
  | { readonly outcome: 'offered-before' }
  | AppendFailure

/** The group that goes on where another has been reinitialised, with all that comes with its Welcome. */
export interface GroupContinuation {
  /** The epoch and the log's end of the group that is continued. */
  readonly epoch: number
  readonly head: number
  readonly groupId: Bytes
  /** The epoch that the next group begins with. */
  readonly firstEpoch: number
  readonly snapshot: Snapshot
  /**
   * Where each member was, and where it is in the next group. `envelope` is what is to be said of
   * its removal there, where that was asked for by others before (RemovalEnvelope).
   */
  readonly leaves: readonly {
    readonly before: number
    readonly after: number
    readonly envelope: Bytes
  }[]
  readonly parts: readonly WelcomePart[]
  readonly now: number
  /** Until when members may be without a connection, and those who were there. */
  readonly dueAt: number
  readonly joinedBy: number
  readonly treeUntil: number
  readonly welcomeUntil: number
  readonly refUntil: number
  /** Until when the log that has ended is kept. */
  readonly pastUntil: number
}

export type ContinueOutcome =
  /** `attached`: who was there, with the leaves of before. */
  | {
      readonly outcome: 'continued'
      readonly attached: readonly Pick<Attachment, 'connection' | 'leaf'>[]
    }
  | AppendFailure

/** The entry undoes the commit at the log's end, and the group is back in the epoch before. */
export interface VoidAppend {
  /** The epoch that the commit had begun. */
  readonly epoch: number
  /** Where the commit stands: the log's end. */
  readonly voided: number
  readonly message: Bytes
  /** Leaves that the commit had added, and those that it had removed, which are back. */
  readonly added: readonly number[]
  readonly removed: readonly number[]
  readonly now: number
  readonly dueAt: number
}

/** Entries that the log had lost. */
export interface ReturnedAppend {
  /** The log's end and epoch, after which they go on. */
  readonly head: number
  readonly epoch: number
  readonly records: readonly LogRecord[]
  /** After the last of them. */
  readonly snapshot: Snapshot
  readonly epochAfter: number
  /** Who has sent a path with them. */
  readonly committers: readonly number[]
  readonly added: readonly number[]
  readonly removed: readonly number[]
  readonly now: number
  readonly dueAt: number
}

/** A connection that speaks for a leaf, on one instance of the keyserver. */
export interface Attachment {
  readonly connection: string
  readonly instance: string
  readonly leaf: number
}

/** Who of a group is there. Leaf indices in ascending order. */
export interface PresenceView {
  readonly present: readonly number[]
  /** Without a connection for the grace period. */
  readonly overdue: readonly number[]
  /** Connected or not, without a path of their own for too long. */
  readonly idle: readonly number[]
  /** Going by their own word or that of the app's backend, connected or not. */
  readonly leaving: readonly number[]
  /** Of those who go by the word of others: what is to be said of it (RemovalEnvelope). */
  readonly requests: ReadonlyMap<number, Bytes>
  /** When the next leaf will be overdue. */
  readonly nextDue: number | null
  readonly expiresAt: number
}

/** A status that a member has signed (core's entryStatus.ts), verified. */
export interface StoredStatus {
  readonly leaf: number
  readonly status: EntryStatusName
  readonly signature: Bytes
}

export type AppendFailure =
  /** The group is in another epoch, or its log has lost what the caller goes on from. */
  | { readonly outcome: 'epoch-mismatch'; readonly group: GroupSummary }
  /** The meeting has no such group (any more). */
  | { readonly outcome: 'group-unknown' }

export type WaitOutcome =
  /** `position` counts from 0; waiting twice with one KeyPackage is waiting once. */
  | { readonly outcome: 'waiting'; readonly position: number }
  | { readonly outcome: 'welcomed'; readonly part: WelcomePart; readonly seq: number }
  /** It has been added, or is somebody else's. */
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
 *
 * Every method may throw StoreError `store-unreachable`; whether the step was taken is then
 * unknown, so callers read again before they go on.
 */
export interface Store {
  /** Whether what has been acknowledged survives a crash. */
  readonly durable: boolean
  /** Whether other instances of the keyserver work on the same store. */
  readonly shared: boolean

  /** @throws StoreError where it cannot be reached */
  check(): Promise<void>
  /** The first value that any instance proposed, for all of them. */
  agree(name: 'removal-key', proposed: Bytes): Promise<Bytes>
  /** Ids of meetings with a group, in no particular order; `cursor` null is the beginning and the end. */
  listMeetings(
    cursor: string | null,
    limit: number,
  ): Promise<{ readonly meetingIds: readonly string[]; readonly cursor: string | null }>

  currentGroup(meetingId: string): Promise<GroupSummary | null>
  /** Compare-and-set: the meeting has no group yet. */
  createGroup(founding: GroupFounding): Promise<CreateOutcome>
  /** Forgets the group and all that belongs to it; false where there is no such group. */
  closeGroup(key: GroupKey): Promise<boolean>

  /** Compare-and-append on (group, epoch). */
  appendProposal(key: GroupKey, proposal: ProposalAppend): Promise<AppendOutcome>
  /**
   * Compare-and-append on (group, epoch), where the log reaches `after`; advances the epoch. In the
   * same step stores GroupInfo, Welcome and tree, consumes the KeyPackageRefs and takes them off the
   * waiting list, and forgets the statuses of the entry before. One that reinitialises the group
   * is compared with the log's end.
   */
  appendCommit(key: GroupKey, commit: CommitAppend): Promise<AppendCommitOutcome>
  /**
   * Compare-and-append on (group, epoch, log's end). What the commit had stored besides its entry
   * is gone; KeyPackageRefs stay used.
   */
  appendVoid(key: GroupKey, entry: VoidAppend): Promise<AppendOutcome>
  /** Compare-and-append on (group, epoch, log's end); `seq` is the last entry's. */
  appendReturned(key: GroupKey, returned: ReturnedAppend): Promise<AppendOutcome>

  /** At most `limit` entries after `after`, oldest first; fewer where they are large, but one. */
  readLog(key: GroupKey, after: number, limit: number): Promise<LogPage<LogRecord> | undefined>
  /** The same page with nothing but the messages. */
  readEntries(key: GroupKey, after: number, limit: number): Promise<LogPage<LogEntry> | undefined>
  /** The commit that ended `epoch`, unless it has been trimmed or undone. */
  findCommit(key: GroupKey, epoch: number): Promise<LogEntry | undefined>
  /**
   * The newest snapshot from which a commit at the log's end can be undone: where that came with
   * one, the snapshot before. The log after it is complete, being trimmed behind that one only.
   */
  readSnapshot(key: GroupKey): Promise<Snapshot | undefined>
  /** The newest epoch's GroupInfo and the entry that began it. */
  readGroupInfo(
    key: GroupKey,
  ): Promise<{ readonly groupInfo: Bytes; readonly seq: number } | undefined>
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
  findWelcome(
    key: GroupKey,
    ref: Bytes,
    now: number,
  ): Promise<{ readonly part: WelcomePart; readonly seq: number } | undefined>
  /** The Welcome of whoever was added at `leafIndex` is not needed any more. */
  dropWelcome(key: GroupKey, leafIndex: number): Promise<void>

  /**
   * A connection speaks for one leaf: attaching it to another detaches it from the first. False
   * where it was attached there already, or the leaf is nobody's that the store knows of.
   */
  attach(
    key: GroupKey,
    attachment: Attachment,
    times: { readonly dueAt: number; readonly leaseUntil: number },
  ): Promise<boolean>
  /** The leaf is overdue from `dueAt` on, where this was its last connection. False where it was not attached. */
  detach(key: GroupKey, connection: string, dueAt: number): Promise<boolean>
  /**
   * An instance that does not renew its lease has lost its connections once somebody sees that it
   * is over. False where it has none, or not any more.
   */
  renewLease(key: GroupKey, instance: string, until: number): Promise<boolean>
  /**
   * Going from now on, until it is removed, whatever its connections do. What asked for it first
   * is remembered.
   */
  markLeaving(key: GroupKey, leaf: number, envelope: Bytes): Promise<void>
  /**
   * After taking away the connections of instances whose lease is over. A leaf is idle that has been
   * added, and has committed, `idleMs` ago or earlier.
   */
  readPresence(
    key: GroupKey,
    times: { readonly now: number; readonly graceMs: number; readonly idleMs: number },
  ): Promise<PresenceView | undefined>

  /**
   * Remembers a status of the commit `seq` while that is the log's end; a leaf's first one counts.
   * All that have been given, or undefined where the log has gone on.
   */
  addStatus(
    key: GroupKey,
    seq: number,
    status: StoredStatus,
  ): Promise<readonly StoredStatus[] | undefined>

  /**
   * Compare-and-set on (group, epoch): takes the place of the leaf's offer before; what the leaf has
   * offered is gone with its member.
   * @param options `final`: only where the leaf has none that is wanted
   */
  putOffer(
    key: GroupKey,
    epoch: number,
    offer: Offer,
    options: { readonly wanted: OffersWanted; readonly final: boolean },
  ): Promise<OfferOutcome>
  /** Leaves without an offer that is wanted. */
  missingOffers(key: GroupKey, wanted: OffersWanted): Promise<readonly number[] | undefined>
  /** The KeyPackages of these leaves, in their order; undefined where one of them has none. */
  readOffers(key: GroupKey, leaves: readonly number[]): Promise<readonly Bytes[] | undefined>
  /**
   * Compare-and-set on (group, epoch, log's end): the meeting's group is another one, which lasts as
   * long as this one would have; nobody speaks for a leaf of it yet, and who was going is going.
   */
  continueGroup(key: GroupKey, next: GroupContinuation): Promise<ContinueOutcome>
  /** The meeting's group, where it continues this one, be it through others. */
  continuationOf(key: GroupKey): Promise<GroupSummary | undefined>
  /** Whether the group is the meeting's and began with this GroupInfo. */
  isFoundedBy(key: GroupKey, groupInfo: Bytes): Promise<boolean>
  /** As `readEntries`, of the group that the meeting's continues, while its log is kept. */
  readPastEntries(
    key: GroupKey,
    after: number,
    limit: number,
    now: number,
  ): Promise<LogPage<LogEntry> | undefined>

  close(): Promise<void>
}
