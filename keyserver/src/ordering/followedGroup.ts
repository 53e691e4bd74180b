import { type Bytes, toHex } from '@conclave/core/codec'
import { makeProposalRef, type PublicCrypto } from '@conclave/core/crypto/public'
import { RemovalLedger } from '@conclave/core/delivery'
import { type GroupPolicy, PublicGroup } from '@conclave/core/mls/public'
import {
  type LeafIndex,
  type ProposalContent,
  ProposalType,
  SenderType,
  WireFormat,
} from '@conclave/core/wire'
import type { LogRecord, Snapshot, WelcomePart } from '../store/store.ts'
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
  readonly message: Bytes
  readonly groupInfo: Bytes
  readonly welcome: Bytes | null
}

/** A proposal that has been verified; it counts once it has a place in the log. */
export interface VerifiedProposal {
  /** The leaf that it asks to remove. */
  readonly removes: LeafIndex | undefined
  /** The leaf that made it. */
  readonly sender: LeafIndex | undefined
  appendedAt(seq: number): FollowedGroup
}

export interface VerifiedCommit {
  readonly committer: LeafIndex
  readonly added: readonly LeafIndex[]
  readonly removed: readonly LeafIndex[]
  readonly welcomeParts: readonly WelcomePart[]
  /** Of the epoch that the commit begins. */
  readonly publicGroup: PublicGroup
  readonly ledger: RemovalLedger
  /** `snapshot`: whether the store got a snapshot with it. */
  appendedAt(seq: number, snapshot?: boolean): FollowedGroup
}

interface FollowedState {
  readonly publicGroup: PublicGroup
  readonly head: number
  readonly ledger: RemovalLedger
  /** Where this epoch's proposals stand, by the hexadecimal form of their ProposalRef. */
  readonly proposals: ReadonlyMap<string, number>
  readonly commitsSinceSnapshot: number
  readonly judgement: Judgement
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
      commitsSinceSnapshot: 0,
      judgement,
    })
  }

  /** Where the same proposal already stands in this epoch's log. */
  placeOf(message: ProposalMessage): number | undefined {
    return this.#state.proposals.get(this.#refOf(message))
  }

  /** @throws CodecError, OrderingError, MlsError or MeetingError */
  async verifyProposal(message: ProposalMessage, now: number): Promise<VerifiedProposal> {
    this.#state.judgement.now = now
    const { sender } = message.content
    const { group } = await this.publicGroup.withProposal(message)
    const leaf = sender.senderType === SenderType.member ? sender.leafIndex : undefined
    const removes = removedLeaf(message.content)
    const { ledger, proposals } = this.#state
    return {
      removes,
      sender: leaf,
      appendedAt: (seq) =>
        new FollowedGroup({
          ...this.#state,
          publicGroup: group,
          head: seq,
          ledger: removes === undefined ? ledger : ledger.withRemoval(seq, removes),
          proposals: new Map(proposals).set(this.#refOf(message), seq),
        }),
    }
  }

  /**
   * A commit of this epoch with what its sender uploads beside it, by every rule that can be
   * checked without the group's secrets, and by those that keep removals from being stalled.
   * @throws CodecError, OrderingError, MlsError or MeetingError
   */
  async verifyCommit(
    message: CommitMessage,
    upload: CommitUpload,
    now: number,
  ): Promise<VerifiedCommit> {
    this.#state.judgement.now = now
    const seenSeq = readSeenSeq(message, this.head)
    const welcome = upload.welcome === null ? undefined : readWelcome(upload.welcome)
    const groupInfo = readGroupInfo(upload.groupInfo)
    const accepted = await this.publicGroup.withCommit(message, groupInfo, welcome)
    const { group, committer, added, removed } = accepted
    if (welcome !== undefined && added.length === 0) {
      throw new OrderingError('message-kind-unexpected', 'a Welcome without anybody to welcome')
    }
    const removedLeaves = new Set<number>(removed)
    const fault = this.ledger.faultOf({ committer, removed: removedLeaves, seenSeq })
    if (fault !== undefined) throw new OrderingError(fault, 'the commit stalls a removal')
    const ledger = this.ledger.withCommit(removedLeaves)
    return {
      committer,
      added: added.map(({ leafIndex }) => leafIndex),
      removed,
      welcomeParts: welcome === undefined ? [] : welcomeParts(welcome, added),
      publicGroup: group,
      ledger,
      appendedAt: (seq, snapshot = false) =>
        new FollowedGroup({
          ...this.#state,
          publicGroup: group,
          head: seq,
          ledger,
          proposals: new Map(),
          commitsSinceSnapshot: snapshot ? 0 : this.commitsSinceSnapshot + 1,
        }),
    }
  }

  /** Follows an entry that this or another keyserver has verified and appended. */
  async replay(record: LogRecord): Promise<FollowedGroup> {
    const verified =
      record.commit === undefined
        ? await this.verifyProposal(readProposal(record.message), record.at)
        : await this.verifyCommit(
            readCommit(record.message),
            { message: record.message, ...record.commit },
            record.at,
          )
    return verified.appendedAt(record.seq)
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
