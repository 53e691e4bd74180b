import { type Bytes, toHex } from '@conclave/core/codec'
import { makeProposalRef, type PublicCrypto } from '@conclave/core/crypto/public'
import { RemovalLedger, readVoid, type VoidEntry } from '@conclave/core/delivery'
import { type GroupPolicy, MlsError, PublicGroup } from '@conclave/core/mls/public'
import {
  type LeafIndex,
  type ProposalContent,
  ProposalType,
  SenderType,
  WireFormat,
} from '@conclave/core/wire'
import type { LogRecord, Snapshot, WelcomePart } from '../store/store.ts'
import { EpochRoom } from './epochRoom.ts'
import {
  type CommitMessage,
  type ProposalMessage,
  readCommit,
  readGroupInfo,
  readProposal,
  readRatchetTree,
  readSeenSeq,
  readWelcome,
} from './messages.ts'
import { OrderingError } from './orderingError.ts'
import { welcomeParts } from './welcomeParts.ts'

export interface CommitUpload {
  readonly groupInfo: Bytes
  readonly welcome: Bytes | null
}

/** A proposal that has been verified; it counts once it has a place in the log. */
export interface VerifiedProposal {
  /** The leaf that it asks to remove. */
  readonly removes: LeafIndex | undefined
  /** The leaf that made it. */
  readonly sender: LeafIndex | undefined
  /** What it was judged at. */
  readonly now: number
  /** Whether the epoch has room for it. */
  readonly hasRoom: boolean
  appendedAt(seq: number): FollowedGroup
}

export interface VerifiedCommit {
  readonly committer: LeafIndex
  /** With the leaf that an external commit takes. */
  readonly added: readonly LeafIndex[]
  readonly removed: readonly LeafIndex[]
  readonly welcomeParts: readonly WelcomePart[]
  /** Of the epoch that the commit begins. */
  readonly publicGroup: PublicGroup
  readonly ledger: RemovalLedger
  /** What it was judged at. */
  readonly now: number
  /** `snapshot`: whether the store got a snapshot with it. */
  appendedAt(seq: number, snapshot?: boolean): FollowedGroup
}

interface FollowedState {
  readonly publicGroup: PublicGroup
  readonly head: number
  readonly ledger: RemovalLedger
  /** Where this epoch's proposals stand, by the hexadecimal form of their ProposalRef. */
  readonly proposals: ReadonlyMap<string, number>
  readonly room: EpochRoom
  readonly commitsSinceSnapshot: number
  /** When a commit has reinitialised the group. */
  readonly frozenSince: number | undefined
  readonly judgement: Judgement
  readonly undoable: UndoableCommit | undefined
}

/** The commit at the log's end, which can still be undone. */
export interface UndoableCommit {
  readonly seq: number
  /** The cipher suite's hash of its message. */
  readonly hash: Bytes
  readonly committer: LeafIndex
  readonly added: readonly LeafIndex[]
  readonly removed: readonly LeafIndex[]
  readonly before: FollowedGroup
}

/** Replaying a log judges each message at the time when it was appended. */
interface Judgement {
  now: number
}

/**
 * A group as the keyserver knows it after the entry `head`. Immutable: a verified message gives
 * another one when it is appended, and what is refused changes nothing.
 */
export class FollowedGroup {
  readonly #state: FollowedState

  private constructor(state: FollowedState) {
    this.#state = state
  }

  get publicGroup(): PublicGroup {
    return this.#state.publicGroup
  }
  get head(): number {
    return this.#state.head
  }
  get ledger(): RemovalLedger {
    return this.#state.ledger
  }
  get commitsSinceSnapshot(): number {
    return this.#state.commitsSinceSnapshot
  }
  get undoable(): UndoableCommit | undefined {
    return this.#state.undoable
  }
  /**
   * When the group was reinitialised (RFC 9420 §11.2), in milliseconds since the Unix epoch: it takes
   * nothing any more but a word that this could not be applied.
   */
  get frozenSince(): number | undefined {
    return this.#state.frozenSince
  }
  get epoch(): number {
    return Number(this.publicGroup.groupContext.epoch)
  }

  /**
   * @param now what leaves are judged at, in milliseconds since the Unix epoch
   * @throws CodecError, OrderingError, MlsError or MeetingError
   */
  static async open(
    crypto: PublicCrypto,
    policy: GroupPolicy,
    snapshot: Omit<Snapshot, 'treeHash'>,
    now: number,
  ): Promise<FollowedGroup> {
    const judgement: Judgement = { now }
    const publicGroup = await PublicGroup.open(
      { crypto, policy, clock: { now: () => judgement.now } },
      readGroupInfo(snapshot.groupInfo),
      readRatchetTree(snapshot.ratchetTree),
    )
    return new FollowedGroup({
      publicGroup,
      head: snapshot.seq,
      ledger: RemovalLedger.startingWith(snapshot.overdue),
      proposals: new Map(),
      room: EpochRoom.whole,
      commitsSinceSnapshot: 0,
      frozenSince: undefined,
      judgement,
      undoable: undefined,
    })
  }

  /** Where the same proposal already stands in this epoch's log. */
  placeOf(message: ProposalMessage): number | undefined {
    return this.#state.proposals.get(this.#refOf(message))
  }

  /**
   * @param bytes of the encoded message
   * @throws CodecError, OrderingError, MlsError or MeetingError
   */
  async verifyProposal(
    message: ProposalMessage,
    bytes: number,
    now: number,
  ): Promise<VerifiedProposal> {
    this.#state.judgement.now = now
    const { sender } = message.content
    const { group } = await this.publicGroup.withProposal(message)
    const leaf = sender.senderType === SenderType.member ? sender.leafIndex : undefined
    const removes = removedLeaf(message.content)
    const { ledger } = this.#state
    const room = this.#state.room.with(message.content, bytes)
    return {
      removes,
      sender: leaf,
      now,
      hasRoom: room.suffices,
      appendedAt: (seq) =>
        this.#withEntry(message, seq, {
          publicGroup: group,
          ledger: removes === undefined ? ledger : ledger.withRemoval(seq, removes),
          room,
        }),
    }
  }

  /**
   * A commit of this epoch with what its sender uploads beside it, by every rule that can be
   * checked without the group's secrets, and by those that keep removals from being stalled.
   * @param upload undefined for a commit that the log had lost and that a client gives back
   * @throws CodecError, OrderingError, MlsError or MeetingError
   */
  async verifyCommit(
    message: CommitMessage,
    encoded: Bytes,
    upload: CommitUpload | undefined,
    now: number,
  ): Promise<VerifiedCommit> {
    this.#state.judgement.now = now
    const seenSeq = readSeenSeq(message, this.head)
    const welcome =
      upload === undefined || upload.welcome === null ? undefined : readWelcome(upload.welcome)
    const accepted =
      upload === undefined
        ? await this.publicGroup.withReturnedCommit(message)
        : await this.publicGroup.withCommit(message, readGroupInfo(upload.groupInfo), welcome)
    const { group, committer, removed } = accepted
    if (welcome !== undefined && accepted.added.length === 0) {
      throw new OrderingError('message-kind-unexpected', 'a Welcome without anybody to welcome')
    }
    const removedLeaves = new Set<number>(removed)
    const byMember = message.content.sender.senderType === SenderType.member
    // A newcomer cannot commit others' Removes; it has waited for the members to do that.
    const fault = byMember
      ? this.ledger.faultOf({ committer, removed: removedLeaves, seenSeq })
      : undefined
    if (fault !== undefined) throw new OrderingError(fault, 'the commit stalls a removal')
    if (group.reInit !== undefined && this.ledger.pending.size > 0) {
      // The next group takes everybody along.
      throw new OrderingError('commit-omits-removal', 'removals come before a ReInit')
    }
    const ledger = this.ledger.withCommit(removedLeaves)
    const newcomers = accepted.added.map(({ leafIndex }) => leafIndex)
    const added = byMember ? newcomers : [...newcomers, committer]
    const hash = group.crypto.hash(encoded)
    return {
      committer,
      added,
      removed,
      welcomeParts: welcome === undefined ? [] : welcomeParts(welcome, accepted.added),
      publicGroup: group,
      ledger,
      now,
      appendedAt: (seq, snapshot = false) =>
        new FollowedGroup({
          ...this.#state,
          publicGroup: group,
          head: seq,
          ledger,
          proposals: new Map(),
          room: EpochRoom.whole,
          frozenSince: group.reInit === undefined ? undefined : now,
          commitsSinceSnapshot: snapshot ? 0 : this.commitsSinceSnapshot + 1,
          undoable: { seq, hash, committer, added, removed, before: this.#withoutPast() },
        }),
    }
  }

  /**
   * What the group is again when the commit at the log's end is undone.
   * @throws OrderingError `void-invalid`
   */
  voided({ seq }: VoidEntry, at: number): FollowedGroup {
    const { undoable } = this
    if (undoable === undefined || BigInt(undoable.seq) !== seq) {
      throw new OrderingError('void-invalid', 'there is no such commit at the end of the log')
    }
    return new FollowedGroup({ ...undoable.before.#state, head: at, undoable: undefined })
  }

  /** Follows an entry that this or another keyserver has verified and appended. */
  async replay(record: LogRecord): Promise<FollowedGroup> {
    const { kind, seq, at, message, upload } = record
    switch (kind) {
      case 'proposal':
        return await this.#replayProposal(readProposal(message), record)
      case 'commit':
        return (await this.verifyCommit(readCommit(message), message, upload, at)).appendedAt(seq)
      case 'void': {
        const entry = readVoid(message)
        if (entry === undefined) throw new OrderingError('void-invalid', 'no VoidEntry')
        return this.voided(entry, seq)
      }
    }
  }

  /**
   * Several instances may each have had room for the last proposal of a sender: those that come
   * after it in the log stand there, and nobody remembers them.
   */
  async #replayProposal(
    proposal: ProposalMessage,
    { seq, at, message }: LogRecord,
  ): Promise<FollowedGroup> {
    try {
      return (await this.verifyProposal(proposal, message.length, at)).appendedAt(seq)
    } catch (error) {
      if (!(error instanceof MlsError) || error.code !== 'proposals-too-many') throw error
      return this.#withEntry(proposal, seq)
    }
  }

  /** With a proposal at `seq`, and with what has changed by it. */
  #withEntry(
    proposal: ProposalMessage,
    seq: number,
    changed: Partial<FollowedState> = {},
  ): FollowedGroup {
    return new FollowedGroup({
      ...this.#state,
      ...changed,
      head: seq,
      proposals: new Map(this.#state.proposals).set(this.#refOf(proposal), seq),
      undoable: undefined,
    })
  }

  /** One commit can be undone, not a row of them. */
  #withoutPast(): FollowedGroup {
    return new FollowedGroup({ ...this.#state, undoable: undefined })
  }

  /** Without the membership tag, which is not ours to check: with another it is the same message. */
  #refOf({ content, auth }: ProposalMessage): string {
    const authenticated = { wireFormat: WireFormat.publicMessage, content, auth }
    return toHex(makeProposalRef(this.publicGroup.crypto, authenticated))
  }
}

/** The leaf that a proposal asks to remove. */
function removedLeaf({ proposal, sender }: ProposalContent): LeafIndex | undefined {
  if (proposal.proposalType === ProposalType.remove) return proposal.removed
  if (proposal.proposalType !== ProposalType.selfRemove) return undefined
  return sender.senderType === SenderType.member ? sender.leafIndex : undefined
}
