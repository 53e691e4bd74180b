import type { Bytes } from '../codec/bytes.ts'
import type { LogEntry, Mail, Packed, WaitingJoiner } from './packing.ts'

/**
 * The contract of clients and the keyserver: socket.io events on one namespace. It reads the same
 * whether a client is connected to the keyserver or through an SFU that relays it unread.
 *
 * Every request is answered by its acknowledgement; a refusal carries a stable code and has
 * changed nothing. MLS structs travel as their TLS encoding, always as whole MLSMessages where
 * RFC 9420 §6 has one; lists of entries and of joiners travel packed (packing.ts).
 */
export const protocolVersion = 1
/**
 * What a client may rely on beyond the first minor version: 1 brought external commits, statuses
 * and `void`, giving entries back, and the KeyPackage directory; 2 application messages; 3 the head
 * with `attach`, and removal by a host; 4 groups that are continued by another (RFC 9420 §11.2).
 * Whoever names none is of minor version 0 and is served as before.
 */
export const protocolMinor = 4
export const deliveryNamespace = '/delivery'

/** What a single request may be at most, in bytes of its largest field. */
export const maxMessageBytes = 1 << 20
/** What a KeyPackage may be at most, in bytes. */
export const maxKeyPackageBytes = 1 << 14
/** What a KeyPackage that is offered for the next group may be at most, in bytes. */
export const maxOfferBytes = 6 << 10
/** Entries that are given back at once, of `maxMessageBytes` together at most. */
export const maxEntriesGivenBack = 64
/** What a proposal may be at most, in bytes: an Add holds a KeyPackage, an Update a leaf. */
export const maxProposalBytes = 1 << 15
/** What an application message may be at most, in bytes. */
export const maxApplicationMessageBytes = 1 << 14
/** Log entries in one answer; a client asks again from where it stands. */
export const maxEntriesPerPage = 256

export type RefusalCode =
  /** The request is not of the declared shape, or a field is out of bounds. */
  | 'request-malformed'
  | 'payload-too-large'
  | 'rate-limited'
  | 'protocol-unsupported'
  /** The access token does not allow this. */
  | 'not-permitted'
  /** `enter` has to come first, and once. */
  | 'not-entered'
  | 'already-entered'
  /** `create` lost: the meeting has a group, which the refusal names. */
  | 'meeting-exists'
  /** The group is not (or no longer) the meeting's. */
  | 'group-unknown'
  /** For an epoch that is over, or not yet there; a commit's refusal has the entries missed. */
  | 'epoch-mismatch'
  /** The message cannot be valid; `detail` has the MLS or meeting error's code. */
  | 'message-invalid'
  | 'key-package-invalid'
  | 'waiting-list-full'
  /** Asked for entries before the log's start or beyond its end. */
  | 'seq-out-of-range'
  | 'tree-unknown'
  | 'presence-invalid'
  /** A status that nobody asked for, or that its leaf did not sign. */
  | 'status-invalid'
  /** What is given back does not go on from the log's end. */
  | 'entries-inapplicable'
  /** Nobody has proposed a ReInit in this epoch, or it has not been committed yet. */
  | 'reinit-unknown'
  /** The next group cannot be founded yet: these `leaves` have offered no KeyPackage for it. */
  | 'reinit-unready'
  /** The group has been continued; the refusal names the meeting's `group`. */
  | 'group-continued'
  /** The directory holds as many KeyPackages of this device, or devices of this identity, as it may. */
  | 'directory-full'
  /** The keyserver cannot reach its store; the request may be repeated. */
  | 'unavailable'
  /** The keyserver failed; the request may be repeated. */
  | 'internal'

export interface Refusal {
  readonly ok: false
  readonly code: RefusalCode
  readonly message: string
  /** The code of the rule that a message broke, for `message-invalid` and `key-package-invalid`. */
  readonly detail?: string
  /** With `meeting-exists` and `group-continued`: the group that the meeting has. */
  readonly group?: GroupSummary
  /** With `reinit-unready`, in ascending order. */
  readonly leaves?: readonly number[]
  /**
   * To a commit that lost, or that left out a removal: entries from the sender's last known
   * sequence number on, at most one page. To `resume` in a group that has been continued: all that
   * its log still had, where it is known yet and one page holds it.
   */
  readonly missed?: readonly LogEntry[]
}

export type Reply<T extends object> = ({ readonly ok: true } & T) | Refusal

/** Called exactly once. */
export type Acknowledge<T extends object> = (reply: PackedReply<T>) => void
/** A reply as it travels. */
export type PackedReply<T extends object> = Packed<{ readonly ok: true } & T> | Packed<Refusal>

export interface GroupSummary {
  readonly groupId: Bytes
  readonly epoch: number
  /** The newest entry's sequence number; 0 for an empty log. */
  readonly head: number
}

export interface Appended {
  readonly seq: number
  /** Whether the entry survives a crash of the keyserver. */
  readonly durable: boolean
}

export interface ClientRequests {
  /** Names the meeting this connection is for. */
  enter: {
    request: {
      readonly protocol: number
      readonly minor?: number | undefined
      readonly meetingId: string
    }
    reply: {
      readonly group: GroupSummary | null
      /** The keyserver's minor version; absent in 0. */
      readonly minor?: number
      /** ExternalSender (RFC 9420 §12.1.8.1) that a founder puts into `external_senders`. */
      readonly externalSender: Bytes
      /** What `attach` signs; new for every connection. */
      readonly nonce: Bytes
    }
  }
  /** Compare-and-set: the meeting has no group yet. */
  create: {
    request: {
      /** MLSMessage with a GroupInfo of epoch 0. */
      readonly groupInfo: Bytes
      /** `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3). */
      readonly ratchetTree: Bytes
    }
    reply: Appended
  }
  /** Puts a KeyPackage on the list that the next committer adds by value. */
  wait: {
    request: { readonly groupId: Bytes; readonly keyPackage: Bytes }
    reply: { readonly position: number }
  }
  /** The log after `after`, at most one page, and then every new entry as an event. */
  resume: {
    request: { readonly groupId: Bytes; readonly after: number }
    reply: {
      readonly entries: readonly LogEntry[]
      readonly head: number
      readonly waiting: readonly WaitingJoiner[]
      /** Leaves whose members are connected. */
      readonly present: readonly number[]
    }
  }
  /** Proves which leaf this connection speaks for, so that its absence can be noticed. */
  attach: {
    request: { readonly groupId: Bytes; readonly leafIndex: number; readonly signature: Bytes }
    /** The newest entry then: a removal that was proposed up to there was for absence. */
    reply: { readonly head?: number }
  }
  propose: {
    request: { readonly groupId: Bytes; readonly message: Bytes }
    reply: Appended
  }
  /**
   * Compare-and-append on the message's (group_id, epoch), atomic with storing its Welcome and
   * GroupInfo. A commit that already won is acknowledged again.
   */
  commit: {
    request: {
      readonly groupId: Bytes
      /** The newest entry that the committer had processed. */
      readonly after: number
      readonly message: Bytes
      /** MLSMessage with a Welcome, exactly when the commit adds someone. */
      readonly welcome: Bytes | null
      /** MLSMessage with the new epoch's GroupInfo. */
      readonly groupInfo: Bytes
    }
    reply: Appended
  }
  /** The ratchet tree with this tree hash. */
  tree: {
    request: { readonly groupId: Bytes; readonly treeHash: Bytes }
    reply: { readonly ratchetTree: Bytes }
  }
  /** What an external commit starts from: the newest epoch's GroupInfo, with `external_pub`. */
  groupInfo: {
    request: { readonly groupId: Bytes }
    reply: {
      /** MLSMessage with a GroupInfo, without the tree, which `tree` has by its hash. */
      readonly groupInfo: Bytes
      /** The newest entry that it includes. */
      readonly seq: number
    }
  }
  /** A signed word on whether the commit at the log's end could be applied (entryStatus.ts). */
  report: {
    request: {
      readonly groupId: Bytes
      readonly seq: number
      readonly leafIndex: number
      readonly status: EntryStatusName
      readonly signature: Bytes
    }
    reply: {
      /** `stands`: somebody has applied it. `voided`: nobody connected could. */
      readonly outcome: 'collecting' | 'stands' | 'voided'
    }
  }
  /** Entries that the sender has and that the keyserver's log has lost. */
  giveBack: {
    request: {
      readonly groupId: Bytes
      /** The entry after which they go on, which is the log's end. */
      readonly after: number
      /** LogEntry list, packed. */
      readonly entries: Bytes
      /** MLSMessage with a GroupInfo of the epoch after them, signed by the sender's leaf. */
      readonly groupInfo: Bytes
    }
    reply: { readonly head: number }
  }
  /**
   * Passes an application message on to everyone who follows the log; it gets no place there and is
   * not kept, so that whoever is away misses it. For a connection that speaks for a leaf.
   */
  send: {
    request: {
      readonly groupId: Bytes
      /** MLSMessage with a PrivateMessage of the current epoch or the one before. */
      readonly message: Bytes
    }
    reply: object
  }
  /**
   * Proposes to remove every leaf of a person; takes a token with the grant `remove` or `manage`,
   * and a connection that speaks for a leaf.
   */
  remove: {
    request: {
      readonly groupId: Bytes
      readonly identity: string
      /** The leaf that asks. */
      readonly leafIndex: number
      /** Its signed word for each leaf that is to go (removalEnvelope.ts), packed. */
      readonly words: Bytes
    }
    reply: {
      /** All that are proposed for removal; none where nobody has this identity. */
      readonly leaves: readonly number[]
    }
  }
  /**
   * A KeyPackage for the group that a ReInit of this epoch proposes, in place of the leaf's offer
   * before. For a connection that speaks for a leaf, with the identity and device key of that leaf.
   * Once the ReInit has been committed, only where the leaf has none.
   */
  offer: {
    request: {
      readonly groupId: Bytes
      /** MLSMessage with a KeyPackage of the suite that is proposed. */
      readonly keyPackage: Bytes
    }
    reply: {
      /** Leaves without an offer, in ascending order. */
      readonly missing: readonly number[]
    }
  }
  /**
   * What the next group is founded with, once the ReInit has been committed: an offer of every
   * leaf, the own one too, by leaf index. For a connection that speaks for a leaf.
   */
  offers: {
    request: { readonly groupId: Bytes }
    reply: { readonly keyPackages: readonly Bytes[] }
  }
  /**
   * Compare-and-set: the group has been reinitialised, and the meeting's group is the next one from
   * now on. For a connection that speaks for a leaf. A group that already won is acknowledged again.
   */
  continue: {
    request: {
      /** The group that is continued. */
      readonly groupId: Bytes
      /** MLSMessage with the next group's GroupInfo of epoch 1, with `external_pub`, without the tree. */
      readonly groupInfo: Bytes
      /** `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3). */
      readonly ratchetTree: Bytes
      /** MLSMessage with a Welcome for everybody else; null where there is nobody else. */
      readonly welcome: Bytes | null
    }
    reply: { readonly durable: boolean }
  }
  /** Adds KeyPackages of one device to the directory; needs no meeting. */
  publish: {
    request: {
      /** MLSMessages with a KeyPackage each, packed; all of one device and the token's identity. */
      readonly keyPackages: Bytes
      /** Handed out when all others have been; replaces the one before. */
      readonly lastResort: Bytes | null
    }
    reply: KeyPackageStock
  }
  stock: {
    request: { readonly deviceKey: Bytes }
    reply: KeyPackageStock
  }
  /** Takes one KeyPackage of each of somebody's devices, which nobody else will get. */
  claim: {
    request: { readonly identity: string }
    reply: { readonly keyPackages: readonly Bytes[] }
  }
  /** The Welcomes that wait for a device of the token's identity, oldest first. */
  mailbox: {
    request: { readonly deviceKey: Bytes }
    reply: { readonly mail: readonly Mail[] }
  }
  /** The device has this Welcome: it is deleted. A last resort's come with one ref from many groups. */
  collect: {
    request: { readonly deviceKey: Bytes; readonly groupId: Bytes; readonly ref: Bytes }
    reply: object
  }
}

export type EntryStatusName = 'applied' | 'failed'

export interface KeyPackageStock {
  /** KeyPackages that nobody has claimed, without the last resort. */
  readonly remaining: number
  readonly lastResort: boolean
}

export interface ServerNotices {
  entry: { readonly groupId: Bytes; readonly entry: LogEntry }
  /**
   * All who wait, whenever that changes. Since 1.4 the KeyPackage is empty of whom an earlier notice
   * has named to all: who follows the log has it from that, or from `resume`.
   */
  waiting: { readonly groupId: Bytes; readonly joiners: readonly WaitingJoiner[] }
  present: { readonly groupId: Bytes; readonly leaves: readonly number[] }
  /**
   * To a joiner: its own part of the Welcome, and the entry of the commit that added it, which is 0
   * in a group that continues another.
   */
  welcome: {
    readonly groupId: Bytes
    readonly ref: Bytes
    readonly welcome: Bytes
    readonly seq: number
  }
  /** A member reports that it cannot apply this commit; everyone says how it fared (`report`). */
  statusWanted: { readonly groupId: Bytes; readonly seq: number }
  /** An application message of another connection; may come twice, late, or not at all. */
  message: { readonly groupId: Bytes; readonly message: Bytes }
  /** A device's KeyPackages are running out; to every connection of its identity. */
  stockLow: { readonly deviceKey: Bytes } & KeyPackageStock
  /** A Welcome has come into a device's mailbox; to every connection of its identity. */
  mail: { readonly deviceKey: Bytes }
  /** Who has yet to offer a KeyPackage for the next group, whenever that changes; paced. */
  offered: { readonly groupId: Bytes; readonly missing: readonly number[] }
  /**
   * The group `groupId` is over and `next` is the meeting's, from the log's beginning on. Whoever is
   * in it gets its Welcome; the others ask to enter `next` by the ways there are.
   */
  continued: { readonly groupId: Bytes; readonly next: Bytes }
  /** The meeting's group has ended; whoever is still there enters again. */
  closed: { readonly groupId: Bytes; readonly reason: 'empty' | 'ended' | 'shutdown' }
}

export type RequestName = keyof ClientRequests
export type RequestOf<N extends RequestName> = ClientRequests[N]['request']
export type ReplyTo<N extends RequestName> = Reply<ClientRequests[N]['reply']>
export type PackedReplyTo<N extends RequestName> = PackedReply<ClientRequests[N]['reply']>

/** socket.io event maps. */
export type ClientToServerEvents = {
  [N in RequestName]: (
    request: RequestOf<N>,
    acknowledge: Acknowledge<ClientRequests[N]['reply']>,
  ) => void
}
export type ServerToClientEvents = {
  [N in keyof ServerNotices]: (notice: Packed<ServerNotices[N]>) => void
}
