import { ConclaveError } from '@conclave/core'
import { type Bytes, toHex } from '@conclave/core/codec'
import { RemovalLedger } from '@conclave/core/delivery'
import type { PublicGroup } from '@conclave/core/mls/public'
import { type CommitContent, ProposalType, SenderType } from '@conclave/core/wire'
import { commitClaims } from './commitClaims.ts'
import type { KeptMembership } from './keptPlace.ts'
import { SessionError } from './sessionError.ts'

/** Sees to it that no commit stalls a removal that the group's log asks for. */
export class RemovalWatch {
  #ledger: RemovalLedger

  constructor(ledger = RemovalLedger.empty) {
    this.#ledger = ledger
  }

  static restore(state: KeptMembership['removals']): RemovalWatch {
    return new RemovalWatch(RemovalLedger.restore(state))
  }

  get state(): KeptMembership['removals'] {
    return this.#ledger.state
  }

  /** The group has taken in a proposal, which may be a removal. */
  proposed(seq: number, ref: Bytes, { proposals }: PublicGroup): void {
    const sourced = proposals.get(toHex(ref))
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

  /** A commit has ended the epoch. */
  committed(removed: readonly number[]): void {
    this.#ledger = this.#ledger.withCommit(new Set(removed))
  }

  /** Why a commit must not apply, where it stalls a removal. */
  faultOf(commit: CommitContent, group: PublicGroup): ConclaveError | undefined {
    try {
      const claims = commitClaims(commit, group)
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
}
