import { ConclaveError } from '@conclave/core'
import { type Bytes, decode, encode, equalBytes, toHex } from '@conclave/core/codec'
import {
  CommitEnvelope,
  type LogEntry,
  RemovalLedger,
  type WaitingJoiner,
} from '@conclave/core/delivery'
import type { CommitEffect, Group, PendingCommit } from '@conclave/core/mls/group'
import { checkLifetime, checkProposal } from '@conclave/core/mls/public'
import {
  MlsMessage,
  type Proposal,
  ProposalType,
  SenderType,
  WireFormat,
} from '@conclave/core/wire'
import { commitClaims, isCommit } from './commitClaims.ts'
import { SessionError } from './sessionError.ts'

/** Adds in one commit; more wait for the next, so that a commit stays within the size limits. */
const maxAddsPerCommit = 256
/** Joiners remembered as unfit to be added. */
const maxUnfit = 1024

/** What an entry of the log did. */
export type EntryOutcome =
  | { readonly kind: 'proposal' }
  /** A proposal that counts for nothing; the keyserver should not have let it through. */
  | { readonly kind: 'ignored'; readonly error: ConclaveError }
  /** A new epoch has begun. */
  | { readonly kind: 'epoch'; readonly effect: CommitEffect }
  /** A commit has removed us. */
  | { readonly kind: 'removed'; readonly effect: CommitEffect }
  /** A commit that does not apply here: from here on we cannot follow. */
  | { readonly kind: 'inapplicable'; readonly error: ConclaveError }

/**
 * Our place in the meeting's group: takes in the log, entry by entry, and makes commits. Calls must
 * not overlap.
 */
export class Membership {
  #group: Group
  #ledger = RemovalLedger.empty
  #pending: PendingCommit | undefined
  #lastSeq: number
  readonly #unfit = new Set<string>()

  /** `lastSeq` is the newest entry that the group's state includes. */
  constructor(group: Group, lastSeq: number) {
    this.#group = group
    this.#lastSeq = lastSeq
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

  async apply({ seq, message }: LogEntry): Promise<EntryOutcome> {
    this.#lastSeq = seq
    const pending = this.#pending
    if (pending !== undefined && equalBytes(pending.message, message)) {
      this.#pending = undefined
      return this.#advance(this.#group.confirm(pending), pending.effect)
    }
    const fault = this.#stalledRemoval(message)
    if (fault !== undefined) return { kind: 'inapplicable', error: fault }
    const received = await this.#group.receive(message)
    switch (received.kind) {
      case 'proposal':
        this.#noteRemoval(seq, toHex(received.ref))
        return { kind: 'proposal' }
      case 'commit':
        this.discardPending()
        return this.#advance(received.group, received.effect)
      case 'removed':
        this.discardPending()
        return { kind: 'removed', effect: received.effect }
      case 'rejected':
        return isCommit(message)
          ? { kind: 'inapplicable', error: received.error }
          : { kind: 'ignored', error: received.error }
    }
  }

  /** Whether there is anything that a commit should carry. */
  hasWork(joiners: readonly WaitingJoiner[]): boolean {
    return this.#group.public.proposals.size > 0 || this.#addable(joiners).length > 0
  }

  /**
   * A commit of this epoch's proposals that adds those who wait, to be sent and then either seen
   * in the log or discarded.
   * @throws ConclaveError
   */
  async makeCommit(joiners: readonly WaitingJoiner[]): Promise<PendingCommit> {
    const proposals: Proposal[] = []
    for (const joiner of this.#addable(joiners)) {
      const add = await this.#addFor(joiner)
      if (add !== undefined) proposals.push(add)
    }
    this.#pending = await this.#group.commit({
      proposals,
      authenticatedData: encode(CommitEnvelope, { seenSeq: BigInt(this.#lastSeq) }),
    })
    return this.#pending
  }

  /** Gives up a commit that the log will not have. */
  discardPending(): void {
    this.#pending?.discard()
    this.#pending = undefined
  }

  /** Wipes every secret. */
  close(): void {
    this.discardPending()
    this.#group.close()
  }

  #advance(group: Group, effect: CommitEffect): EntryOutcome {
    this.#group = group
    this.#ledger = this.#ledger.withCommit(new Set(effect.removed))
    this.#unfit.clear()
    return { kind: 'epoch', effect }
  }

  #stalledRemoval(message: Bytes): ConclaveError | undefined {
    try {
      const claims = commitClaims(message, this.#group.public)
      const fault = claims && this.#ledger.faultOf(claims)
      return (
        fault &&
        new SessionError('log-inapplicable', 'a commit stalls a removal', { detail: fault })
      )
    } catch (error) {
      if (error instanceof ConclaveError) return error
      throw error
    }
  }

  #noteRemoval(seq: number, ref: string): void {
    const sourced = this.#group.public.proposals.get(ref)
    if (sourced === undefined) return
    const { proposal, sender } = sourced
    if (proposal.proposalType === ProposalType.remove) {
      this.#ledger = this.#ledger.withRemoval(seq, proposal.removed)
    } else if (
      proposal.proposalType === ProposalType.selfRemove &&
      sender.senderType === SenderType.member
    ) {
      this.#ledger = this.#ledger.withRemoval(seq, sender.leafIndex)
    }
  }

  #addable(joiners: readonly WaitingJoiner[]): readonly WaitingJoiner[] {
    return joiners.filter(({ ref }) => !this.#unfit.has(toHex(ref))).slice(0, maxAddsPerCommit)
  }

  /** An Add for somebody who waits, unless they cannot be added: they must not block the others. */
  async #addFor({ ref, keyPackage }: WaitingJoiner): Promise<Proposal | undefined> {
    const { environment, crypto, groupContext, tree } = this.#group.public
    const { leafIndex } = this.#group
    try {
      const decoded = decode(MlsMessage, keyPackage)
      if (decoded.wireFormat !== WireFormat.keyPackage) throw unfit('not a KeyPackage')
      const proposal = { proposalType: ProposalType.add, keyPackage: decoded.keyPackage }
      const sender = { senderType: SenderType.member, leafIndex }
      const { signatureKey } = decoded.keyPackage.leafNode
      if (tree.members().some((m) => equalBytes(m.leafNode.signatureKey, signatureKey))) {
        throw unfit('already a member')
      }
      checkLifetime(decoded.keyPackage.leafNode, environment.clock.now(), 'sender')
      await checkProposal(environment, crypto, { proposal, sender }, groupContext, tree)
      return proposal
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
      if (this.#unfit.size < maxUnfit) this.#unfit.add(toHex(ref))
      return undefined
    }
  }
}

function unfit(reason: string): SessionError {
  return new SessionError('keyserver-protocol-violated', `a waiting KeyPackage is ${reason}`)
}
