import { type Infer, opaque, optional, struct, uint8, variant, vector } from '../codec/tls.ts'
import { Proposal } from './proposal.ts'
import { UpdatePath } from './ratchetTree.ts'
import { ProposalOrRefType } from './registry.ts'

/*
 * RFC 9420 §12.4
 *
 * struct {
 *     ProposalOrRefType type;
 *     select (ProposalOrRef.type) {
 *         case proposal:  Proposal proposal;
 *         case reference: ProposalRef reference;
 *     };
 * } ProposalOrRef;
 *
 * struct {
 *     ProposalOrRef proposals<V>;
 *     optional<UpdatePath> path;
 * } Commit;
 */
export const ProposalOrRef = variant('type', uint8, {
  [ProposalOrRefType.proposal]: struct({ proposal: Proposal }),
  [ProposalOrRefType.reference]: struct({ reference: opaque() }),
})
export type ProposalOrRef = Infer<typeof ProposalOrRef>

export const Commit = struct({ proposals: vector(ProposalOrRef), path: optional(UpdatePath) })
export type Commit = Infer<typeof Commit>
