import { type Bytes, CodecError, decode, toHex } from '@conclave/core/codec'
import { type CommitClaims, CommitEnvelope } from '@conclave/core/delivery'
import type { PublicGroup } from '@conclave/core/mls/public'
import {
  type CommitContent,
  ContentType,
  MlsMessage,
  ProposalOrRefType,
  ProposalType,
  SenderType,
  WireFormat,
} from '@conclave/core/wire'

/**
 * What a commit claims, for the rule that nobody stalls a removal; undefined for one that is not by
 * a member. Nothing of it is verified.
 * @throws CodecError for a commit without a CommitEnvelope
 */
export function commitClaims(content: CommitContent, group: PublicGroup): CommitClaims | undefined {
  if (content.sender.senderType !== SenderType.member) return undefined
  const removed = new Set<number>()
  for (const entry of content.commit.proposals) {
    const sourced =
      entry.type === ProposalOrRefType.proposal
        ? { proposal: entry.proposal, sender: content.sender }
        : group.proposals.get(toHex(entry.reference))
    if (sourced === undefined) continue
    const { proposal, sender } = sourced
    if (proposal.proposalType === ProposalType.remove) removed.add(proposal.removed)
    if (
      proposal.proposalType === ProposalType.selfRemove &&
      sender.senderType === SenderType.member
    ) {
      removed.add(sender.leafIndex)
    }
  }
  const { seenSeq } = decode(CommitEnvelope, content.authenticatedData)
  return { committer: content.sender.leafIndex, removed, seenSeq }
}

/** The key that a commit is signed with, as far as it can be read; undefined for anything else. */
export function committerKey(message: Bytes, { tree }: PublicGroup): Bytes | undefined {
  const content = commitIn(message)
  if (content?.sender.senderType === SenderType.member) {
    return tree.leafNode(content.sender.leafIndex)?.signatureKey
  }
  return content?.commit.path?.leafNode.signatureKey
}

/** A log entry's content, where that is a commit that can be read. */
export function commitIn(message: Bytes): CommitContent | undefined {
  try {
    const decoded = decode(MlsMessage, message)
    if (decoded.wireFormat !== WireFormat.publicMessage) return undefined
    const { content } = decoded.publicMessage
    return content.contentType === ContentType.commit ? content : undefined
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}
