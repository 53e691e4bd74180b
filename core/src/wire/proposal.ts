import type { Bytes } from '../codec/bytes.ts'
import { CodecError } from '../codec/codecError.ts'
import {
  type Codec,
  empty,
  extend,
  type Infer,
  opaque,
  struct,
  uint8,
  uint16,
  uint64,
  variant,
} from '../codec/tls.ts'
import { Extensions } from './extension.ts'
import { KeyPackage } from './keyPackage.ts'
import { LeafIndex, LeafNode } from './ratchetTree.ts'
import { ProposalType, PskType } from './registry.ts'

/*
 * RFC 9420 §8.4
 *
 * struct {
 *     PSKType psktype;
 *     select (PreSharedKeyID.psktype) {
 *         case external:
 *             opaque psk_id<V>;
 *         case resumption:
 *             ResumptionPSKUsage usage;
 *             opaque psk_group_id<V>;
 *             uint64 psk_epoch;
 *         case application:  // draft-ietf-mls-extensions, "Pre-Shared Keys (PSKs)"
 *             ComponentID component_id;
 *             opaque psk_id<V>;
 *     };
 *     opaque psk_nonce<V>;
 * } PreSharedKeyID;
 */
export const PreSharedKeyId = extend(
  variant('pskType', uint8, {
    [PskType.external]: struct({ pskId: opaque() }),
    [PskType.resumption]: struct({ usage: uint8, pskGroupId: opaque(), pskEpoch: uint64 }),
    [PskType.application]: struct({ componentId: uint16, pskId: opaque() }),
  }),
  () => struct({ pskNonce: opaque() }),
)
export type PreSharedKeyId = Infer<typeof PreSharedKeyId>

/*
 * §12.1
 *
 * struct { KeyPackage key_package; } Add;
 * struct { LeafNode leaf_node; } Update;
 * struct { uint32 removed; } Remove;
 * struct { PreSharedKeyID psk; } PreSharedKey;
 * struct {
 *     opaque group_id<V>;
 *     ProtocolVersion version;
 *     CipherSuite cipher_suite;
 *     Extension extensions<V>;
 * } ReInit;
 * struct { opaque kem_output<V>; } ExternalInit;
 * struct { Extension extensions<V>; } GroupContextExtensions;
 * struct {} SelfRemove;
 */
export const Add = struct({ keyPackage: KeyPackage })
export const Update = struct({ leafNode: LeafNode })
export const Remove = struct({ removed: LeafIndex })
export const PreSharedKey = struct({ psk: PreSharedKeyId })
export const ReInit = struct({
  groupId: opaque(),
  version: uint16,
  cipherSuite: uint16,
  extensions: Extensions,
})
export const ExternalInit = struct({ kemOutput: opaque() })
export const GroupContextExtensions = struct({ extensions: Extensions })

const bodies = {
  [ProposalType.add]: Add,
  [ProposalType.update]: Update,
  [ProposalType.remove]: Remove,
  [ProposalType.psk]: PreSharedKey,
  [ProposalType.reInit]: ReInit,
  [ProposalType.externalInit]: ExternalInit,
  [ProposalType.groupContextExtensions]: GroupContextExtensions,
  [ProposalType.selfRemove]: empty,
} as const
const RegisteredProposal = variant('proposalType', uint16, bodies)

/**
 * A proposal of a type that the application has registered. A Proposal has no length of its own, so
 * that all of these have one layout: `opaque proposal_data<V>`.
 */
export interface CustomProposal {
  readonly proposalType: typeof ProposalType.custom
  readonly customType: number
  readonly proposalData: Bytes
}
const customBody = opaque()

export type Proposal = Infer<typeof RegisteredProposal> | CustomProposal
export const Proposal: Codec<Proposal> = {
  write: (value, to) => {
    if (value.proposalType !== ProposalType.custom) return RegisteredProposal.write(value, to)
    if (value.customType in bodies) {
      throw new CodecError('codec-unencodable', `proposal type ${value.customType} is not custom`)
    }
    uint16.write(value.customType, to)
    customBody.write(value.proposalData, to)
  },
  read: (from) => {
    const type = uint16.read(from)
    const body: Codec<object> | undefined = (bodies as Record<number, Codec<object>>)[type]
    return body === undefined
      ? {
          proposalType: ProposalType.custom,
          customType: type,
          proposalData: customBody.read(from),
        }
      : ({ proposalType: type, ...body.read(from) } as Proposal)
  },
}

/** The type by which a member says in its capabilities that it supports this proposal. */
export function proposalCodePoint(proposal: Proposal): number {
  return proposal.proposalType === ProposalType.custom ? proposal.customType : proposal.proposalType
}
