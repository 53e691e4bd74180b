import { type Bytes, toHex } from '../../codec/bytes.ts'
import type { ProposalOrRef } from '../../wire/commit.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { Sender } from '../../wire/framing.ts'
import type { KeyPackage } from '../../wire/keyPackage.ts'
import type { PreSharedKeyId, Proposal } from '../../wire/proposal.ts'
import type { LeafIndex, LeafNode } from '../../wire/ratchetTree.ts'
import { ProposalOrRefType, ProposalType, SenderType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'

/** A proposal with who made it; one that a commit carries by value is its committer's. */
export interface SourcedProposal {
  readonly proposal: Proposal
  readonly sender: Sender
  /** What its sender authenticated beside it (§6.1), where it came by itself. */
  readonly authenticatedData?: Bytes
}

/** An Add, and who asked for it. */
export interface AddEntry {
  readonly keyPackage: KeyPackage
  readonly sender: Sender
}
/** An Update, and whose leaf it replaces. */
export interface UpdateEntry {
  readonly leafIndex: LeafIndex
  readonly leafNode: LeafNode
}
/** A Remove or SelfRemove, whom it removes and who asked for it. */
export interface RemoveEntry {
  readonly leafIndex: LeafIndex
  readonly kind: 'remove' | 'self-remove'
  readonly sender: Sender
  /** What its sender authenticated beside it; absent or empty where there is nothing. */
  readonly authenticatedData?: Bytes
}

/** The group that is proposed to continue another (RFC 9420 §12.1.5). */
export type ReInitProposal = Extract<Proposal, { proposalType: typeof ProposalType.reInit }>

/** The proposals of one commit, sorted by kind in the order in which they apply (§12.3). */
export interface ProposalList {
  /** For an external commit the leaf that it takes. */
  readonly committer: LeafIndex
  readonly groupContextExtensions: Extensions | undefined
  readonly updates: readonly UpdateEntry[]
  readonly removes: readonly RemoveEntry[]
  readonly adds: readonly AddEntry[]
  readonly preSharedKeys: readonly PreSharedKeyId[]
  readonly reInit: ReInitProposal | undefined
  /** The `kem_output` of an external commit, which is what its presence says (§12.4.3.2). */
  readonly externalInit: Bytes | undefined
  /** Everything, in the order of the commit. */
  readonly all: readonly SourcedProposal[]
}

/** More than this no commit can make use of: every leaf of a meeting removed, added and updated. */
const maxProposalsInCommit = 4096

/**
 * RFC 9420 §12.4: the proposals behind a commit's ProposalOrRefs. A newcomer's commit may refer to
 * SelfRemoves and nothing else (§12.4.3.2 and the extensions draft, "SelfRemove Proposal").
 * @param addsByValue how many Adds it may carry by value
 * @throws MlsError `proposals-too-many`, `proposal-unknown-reference`,
 *   `proposal-self-remove-by-value`, `external-commit-reference`
 */
export function resolveProposals(
  entries: readonly ProposalOrRef[],
  committer: Sender,
  known: ReadonlyMap<string, SourcedProposal>,
  addsByValue = maxProposalsInCommit,
): readonly SourcedProposal[] {
  if (entries.length > maxProposalsInCommit) {
    throw new MlsError('proposals-too-many', `over ${maxProposalsInCommit} proposals in a commit`)
  }
  if (entries.filter(isAddByValue).length > addsByValue) {
    throw new MlsError('proposals-too-many', `over ${addsByValue} Adds by value in a commit`)
  }
  return entries.map((entry) => {
    if (entry.type === ProposalOrRefType.proposal) {
      if (entry.proposal.proposalType === ProposalType.selfRemove) {
        throw new MlsError(
          'proposal-self-remove-by-value',
          'a SelfRemove is committed by reference',
        )
      }
      return { proposal: entry.proposal, sender: committer }
    }
    const found = known.get(toHex(entry.reference))
    if (found === undefined) {
      throw new MlsError('proposal-unknown-reference', 'the commit names an unknown proposal')
    }
    if (
      committer.senderType === SenderType.newMemberCommit &&
      found.proposal.proposalType !== ProposalType.selfRemove
    ) {
      throw new MlsError('external-commit-reference', 'a newcomer refers to SelfRemoves only')
    }
    return found
  })
}

function isAddByValue(entry: ProposalOrRef): boolean {
  return (
    entry.type === ProposalOrRefType.proposal && entry.proposal.proposalType === ProposalType.add
  )
}
