import { type Codec, type Infer, opaque, optional, struct, vector } from '../../codec/tls.ts'
import { Sender } from '../../wire/framing.ts'
import { GroupContext } from '../../wire/groupContext.ts'
import { Proposal, ReInit } from '../../wire/proposal.ts'
import { RatchetTree } from '../../wire/ratchetTree.ts'
import { PublicTree } from '../treesync/publicTree.ts'

/*
 * What is kept of a PublicGroup.
 *
 * struct {
 *     ProposalRef ref;
 *     Proposal proposal;
 *     Sender sender;
 *     opaque authenticated_data<V>;
 * } PendingProposal;
 *
 * struct {
 *     GroupContext group_context;
 *     optional<Node> ratchet_tree<V>;
 *     opaque interim_transcript_hash<V>;
 *     PendingProposal proposals<V>;
 *     optional<ReInit> reinit;
 * } PublicGroupState;
 */

/** `optional<Node> ratchet_tree<V>`; nodes are written as the tree keeps them, without being decoded. */
export const StoredTree: Codec<PublicTree> = {
  write: (tree, to) => to.raw(tree.encoded()),
  read: (from) => PublicTree.fromRatchetTree(RatchetTree.read(from)),
}

const PendingProposal = struct({
  ref: opaque(),
  proposal: Proposal,
  sender: Sender,
  authenticatedData: opaque(),
})

const fields = {
  interimTranscriptHash: opaque(),
  proposals: vector(PendingProposal),
  reInit: optional(ReInit),
}

export const PublicGroupState = struct({
  groupContext: GroupContext,
  tree: StoredTree,
  ...fields,
})
export type PublicGroupState = Infer<typeof PublicGroupState>

/** The same without a tree where that is stored apart; `optional` stands before `ratchet_tree`. */
export const TreelessGroupState = struct({
  groupContext: GroupContext,
  tree: optional(StoredTree),
  ...fields,
})
export type TreelessGroupState = Infer<typeof TreelessGroupState>
