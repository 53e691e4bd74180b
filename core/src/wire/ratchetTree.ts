import {
  type Codec,
  empty,
  extend,
  type Infer,
  opaque,
  optional,
  struct,
  uint8,
  uint16,
  uint32,
  uint64,
  variant,
  vector,
} from '../codec/tls.ts'
import { Credential } from './credential.ts'
import { Extensions } from './extension.ts'
import { LeafNodeSource, NodeType } from './registry.ts'

declare const leafIndexBrand: unique symbol
/** A leaf's position from the left, 0-based. Not to be mixed up with node indices, which are twice as large. */
export type LeafIndex = number & { readonly [leafIndexBrand]: true }
export const LeafIndex = uint32 as Codec<LeafIndex>

/*
 * RFC 9420 §7.1
 *
 * struct {
 *     HPKEPublicKey encryption_key;
 *     opaque parent_hash<V>;
 *     uint32 unmerged_leaves<V>;
 * } ParentNode;
 */
export const ParentNode = struct({
  encryptionKey: opaque(),
  parentHash: opaque(),
  unmergedLeaves: vector(LeafIndex),
})
export type ParentNode = Infer<typeof ParentNode>

/*
 * §7.2
 *
 * struct {
 *     ProtocolVersion versions<V>;
 *     CipherSuite cipher_suites<V>;
 *     ExtensionType extensions<V>;
 *     ProposalType proposals<V>;
 *     CredentialType credentials<V>;
 * } Capabilities;
 *
 * struct {
 *     uint64 not_before;
 *     uint64 not_after;
 * } Lifetime;
 */
export const Capabilities = struct({
  versions: vector(uint16),
  cipherSuites: vector(uint16),
  extensions: vector(uint16),
  proposals: vector(uint16),
  credentials: vector(uint16),
})
export type Capabilities = Infer<typeof Capabilities>

/** Seconds since the Unix epoch. */
export const Lifetime = struct({ notBefore: uint64, notAfter: uint64 })
export type Lifetime = Infer<typeof Lifetime>

/*
 * §7.2
 *
 * struct {
 *     HPKEPublicKey encryption_key;
 *     SignaturePublicKey signature_key;
 *     Credential credential;
 *     Capabilities capabilities;
 *     LeafNodeSource leaf_node_source;
 *     select (LeafNode.leaf_node_source) {
 *         case key_package: Lifetime lifetime;
 *         case update:      struct{};
 *         case commit:      opaque parent_hash<V>;
 *     };
 *     Extension extensions<V>;
 *     // SignWithLabel(., "LeafNodeTBS", LeafNodeTBS)
 *     opaque signature<V>;
 * } LeafNode;
 */
const LeafNodeKeys = struct({
  encryptionKey: opaque(),
  signatureKey: opaque(),
  credential: Credential,
  capabilities: Capabilities,
})
const LeafNodeOrigin = variant('leafNodeSource', uint8, {
  [LeafNodeSource.keyPackage]: struct({ lifetime: Lifetime }),
  [LeafNodeSource.update]: empty,
  [LeafNodeSource.commit]: struct({ parentHash: opaque() }),
})
const LeafNodeExtensions = struct({ extensions: Extensions })
const LeafNodeContent = extend(
  extend(LeafNodeKeys, () => LeafNodeOrigin),
  () => LeafNodeExtensions,
)
export type LeafNodeContent = Infer<typeof LeafNodeContent>
export type LeafNodeOrigin = Infer<typeof LeafNodeOrigin>

const LeafNodeSignature = struct({ signature: opaque() })
export const LeafNode = extend(LeafNodeContent, () => LeafNodeSignature)
export type LeafNode = Infer<typeof LeafNode>

/*
 * §7.2: LeafNodeTBS is the content, then for an update or a commit where the leaf stands.
 *
 *     select (LeafNodeTBS.leaf_node_source) {
 *         case key_package: struct{};
 *         case update:      opaque group_id<V>; uint32 leaf_index;
 *         case commit:      opaque group_id<V>; uint32 leaf_index;
 *     };
 */
export const LeafNodePosition = struct({ groupId: opaque(), leafIndex: LeafIndex })
export type LeafNodePosition = Infer<typeof LeafNodePosition>

export const UnplacedLeafNodeTbs = LeafNodeContent
export const PlacedLeafNodeTbs = extend(LeafNodeContent, () => LeafNodePosition)

/*
 * §7.6
 *
 * struct {
 *     opaque kem_output<V>;
 *     opaque ciphertext<V>;
 * } HPKECiphertext;
 *
 * struct {
 *     HPKEPublicKey encryption_key;
 *     HPKECiphertext encrypted_path_secret<V>;
 * } UpdatePathNode;
 *
 * struct {
 *     LeafNode leaf_node;
 *     UpdatePathNode nodes<V>;
 * } UpdatePath;
 */
export const HpkeCiphertext = struct({ kemOutput: opaque(), ciphertext: opaque() })
export type HpkeCiphertext = Infer<typeof HpkeCiphertext>

export const UpdatePathNode = struct({
  encryptionKey: opaque(),
  encryptedPathSecret: vector(HpkeCiphertext),
})
export type UpdatePathNode = Infer<typeof UpdatePathNode>

export const UpdatePath = struct({ leafNode: LeafNode, nodes: vector(UpdatePathNode) })
export type UpdatePath = Infer<typeof UpdatePath>

/*
 * §7.8
 *
 * struct {
 *     NodeType node_type;
 *     select (TreeHashInput.node_type) {
 *         case leaf:   LeafNodeHashInput leaf_node;
 *         case parent: ParentNodeHashInput parent_node;
 *     };
 * } TreeHashInput;
 *
 * struct {
 *     uint32 leaf_index;
 *     optional<LeafNode> leaf_node;
 * } LeafNodeHashInput;
 *
 * struct {
 *     optional<ParentNode> parent_node;
 *     opaque left_hash<V>;
 *     opaque right_hash<V>;
 * } ParentNodeHashInput;
 */
export const TreeHashInput = variant('nodeType', uint8, {
  [NodeType.leaf]: struct({ leafIndex: LeafIndex, leafNode: optional(LeafNode) }),
  [NodeType.parent]: struct({
    parentNode: optional(ParentNode),
    leftHash: opaque(),
    rightHash: opaque(),
  }),
})
export type TreeHashInput = Infer<typeof TreeHashInput>

/*
 * §7.9
 *
 * struct {
 *     HPKEPublicKey encryption_key;
 *     opaque parent_hash<V>;
 *     opaque original_sibling_tree_hash<V>;
 * } ParentHashInput;
 */
export const ParentHashInput = struct({
  encryptionKey: opaque(),
  parentHash: opaque(),
  originalSiblingTreeHash: opaque(),
})

/*
 * §12.4.3.3
 *
 * struct {
 *     NodeType node_type;
 *     select (Node.node_type) {
 *         case leaf:   LeafNode leaf_node;
 *         case parent: ParentNode parent_node;
 *     };
 * } Node;
 *
 * optional<Node> ratchet_tree<V>;
 */
export const Node = variant('nodeType', uint8, {
  [NodeType.leaf]: struct({ leafNode: LeafNode }),
  [NodeType.parent]: struct({ parentNode: ParentNode }),
})
export type Node = Infer<typeof Node>

export const RatchetTree = vector(optional(Node))
export type RatchetTree = Infer<typeof RatchetTree>
