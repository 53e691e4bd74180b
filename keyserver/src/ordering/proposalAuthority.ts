import type { ProposalList, PublicGroup, SourcedProposal } from '@conclave/core/mls/public'
import { type LeafIndex, ProposalType, SenderType } from '@conclave/core/wire'

/**
 * Whether a commit could contain this proposal, asked before it enters the log: a removal that
 * everybody is bound to commit and nobody may would be the end of the group.
 * @throws MeetingError, as the group's policy does
 */
export function checkAuthority(group: PublicGroup, sourced: SourcedProposal): void {
  const { environment, tree, groupContext } = group
  const removed = removedLeaf(sourced)
  const others = tree.members().filter(({ leafIndex }) => leafIndex !== removed)
  const committer = others[0]?.leafIndex ?? (0 as LeafIndex)
  environment.policy.checkProposals(alone(sourced, committer), tree, groupContext)
}

/** The leaf that a proposal asks to remove. */
export function removedLeaf({ proposal, sender }: SourcedProposal): LeafIndex | undefined {
  if (proposal.proposalType === ProposalType.remove) return proposal.removed
  if (proposal.proposalType !== ProposalType.selfRemove) return undefined
  return sender.senderType === SenderType.member ? sender.leafIndex : undefined
}

function alone(sourced: SourcedProposal, committer: LeafIndex): ProposalList {
  const { proposal, sender } = sourced
  const removed = removedLeaf(sourced)
  const kind = proposal.proposalType === ProposalType.remove ? 'remove' : 'self-remove'
  return {
    committer,
    groupContextExtensions:
      proposal.proposalType === ProposalType.groupContextExtensions
        ? proposal.extensions
        : undefined,
    updates:
      proposal.proposalType === ProposalType.update && sender.senderType === SenderType.member
        ? [{ leafIndex: sender.leafIndex, leafNode: proposal.leafNode }]
        : [],
    removes: removed === undefined ? [] : [{ leafIndex: removed, kind, sender }],
    adds:
      proposal.proposalType === ProposalType.add
        ? [{ keyPackage: proposal.keyPackage, sender }]
        : [],
    preSharedKeys: proposal.proposalType === ProposalType.psk ? [proposal.psk] : [],
    reInit: proposal.proposalType === ProposalType.reInit ? proposal : undefined,
    all: [sourced],
  }
}
