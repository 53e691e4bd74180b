import { type LeafIndex, type ProposalContent, ProposalType, SenderType } from '@conclave/core/wire'
import { maxEpochProposalBytes, maxEpochProposals, maxLeavingBytes } from '../limits.ts'

/**
 * How much of an epoch's room its proposals take up. Immutable. Removals need none: the keyserver's
 * own are of one size and counted by core, and each leaf has one SelfRemove free.
 */
export class EpochRoom {
  static readonly whole = new EpochRoom(0, 0, new Set())
  readonly #count: number
  readonly #bytes: number
  readonly #leaving: ReadonlySet<LeafIndex>

  private constructor(count: number, bytes: number, leaving: ReadonlySet<LeafIndex>) {
    this.#count = count
    this.#bytes = bytes
    this.#leaving = leaving
  }

  /** Whether no more proposals stand in the epoch than may. */
  get suffices(): boolean {
    return this.#count <= maxEpochProposals && this.#bytes <= maxEpochProposalBytes
  }

  /**
   * What is left with one more proposal.
   * @param bytes of its message
   */
  with({ proposal, sender }: ProposalContent, bytes: number): EpochRoom {
    if (sender.senderType === SenderType.external) return this
    if (
      sender.senderType === SenderType.member &&
      proposal.proposalType === ProposalType.selfRemove &&
      bytes <= maxLeavingBytes &&
      !this.#leaving.has(sender.leafIndex)
    ) {
      const leaving = new Set(this.#leaving).add(sender.leafIndex)
      return new EpochRoom(this.#count, this.#bytes, leaving)
    }
    return new EpochRoom(this.#count + 1, this.#bytes + bytes, this.#leaving)
  }
}
