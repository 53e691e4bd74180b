import type { Bytes } from '../../codec/bytes.ts'
import {
  type Codec,
  decode,
  encode,
  fixedOpaque,
  type Infer,
  optional,
  struct,
  uint32,
  vector,
} from '../../codec/tls.ts'
import type { CipherSuite } from '../../crypto/public/cipherSuite.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import { LeafIndex } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import { ancestorOf, level, type NodeIndex, root } from '../treeMath.ts'
import type { NodeSecret } from './nodeSecrets.ts'

/*
 * What is kept of a secret tree. All lists are in increasing order of their indices.
 *
 * struct {
 *     uint32 node;
 *     opaque secret[KDF.Nh];
 * } NodeSecret;
 *
 * struct {
 *     uint32 generation;
 *     opaque secret[KDF.Nh];
 * } RatchetHead;
 *
 * struct {
 *     uint32 generation;
 *     opaque key[AEAD.Nk];
 *     opaque nonce[AEAD.Nn];
 * } KeptKey;
 *
 * struct {
 *     optional<RatchetHead> head;
 *     KeptKey kept<V>;
 * } Ratchet;
 *
 * struct {
 *     uint32 leaf;
 *     Ratchet handshake;
 *     Ratchet application;
 * } LeafRatchets;
 *
 * struct {
 *     uint32 leaf_count;
 *     uint32 own_leaf;
 *     NodeSecret nodes<V>;
 *     LeafRatchets leaves<V>;
 * } SecretTreeState;
 */
export function secretTreeState({ Nh, Nk, Nn }: CipherSuite) {
  const ratchet = struct({
    head: optional(struct({ generation: uint32, secret: secret(Nh) })),
    kept: vector(struct({ generation: uint32, key: secret(Nk), nonce: secret(Nn) })),
  })
  return struct({
    leafCount: uint32,
    ownLeaf: LeafIndex,
    nodes: nodeSecrets(Nh),
    leaves: vector(struct({ leaf: LeafIndex, handshake: ratchet, application: ratchet })),
  })
}
export type SecretTreeState = Infer<ReturnType<typeof secretTreeState>>

/** `NodeSecret nodes<V>` */
export function nodeSecrets(Nh: number) {
  return vector(struct({ node: uint32 as Codec<NodeIndex>, secret: secret(Nh) }))
}

function secret(length: number): Codec<Secret> {
  const bytes = fixedOpaque(length)
  return {
    write: (value, to) => bytes.write(value.expose(), to),
    read: (from) => new Secret(bytes.read(from)),
  }
}

export function encodeSecretTree(suite: CipherSuite, state: SecretTreeState): Secret {
  return new Secret(
    encode(secretTreeState(suite), {
      ...state,
      leaves: state.leaves.toSorted((a, b) => a.leaf - b.leaf),
    }),
  )
}

/**
 * Only what `encodeSecretTree` gives for a tree that can be: no two secrets may open the same.
 * @throws CodecError, or MlsError `state-malformed`
 */
export function decodeSecretTree(suite: CipherSuite, bytes: Bytes): SecretTreeState {
  const state = decode(secretTreeState(suite), bytes)
  const { leafCount, ownLeaf, nodes, leaves } = state
  const isPowerOfTwo = Number.isInteger(Math.log2(leafCount)) && leafCount <= 2 ** 30
  if (!isPowerOfTwo || ownLeaf >= leafCount) throw invalid()
  checkNodeSecrets(nodes, leafCount)
  const known = new Set(nodes.map(({ node }) => node))
  const rootLevel = level(root(leafCount))
  let following = 0
  for (const { leaf, handshake, application } of leaves) {
    if (leaf < following || leaf >= leafCount) throw invalid()
    for (let k = 0; k <= rootLevel; k++) if (known.has(ancestorOf(leaf, k))) throw invalid()
    following = leaf + 1
    checkRatchet(handshake)
    checkRatchet(application)
  }
  return state
}

/**
 * In order, in the tree, and none above another.
 * @throws MlsError `state-malformed`
 */
export function checkNodeSecrets(nodes: readonly NodeSecret[], leafCount: number): void {
  let next = 0
  for (const { node } of nodes) {
    if (node > 2 * (leafCount - 1)) throw invalid()
    const reach = 2 ** level(node) - 1
    if (node - reach < next) throw invalid()
    next = node + reach + 1
  }
}

function checkRatchet({ head, kept }: SecretTreeState['leaves'][number]['handshake']): void {
  let next = 0
  for (const { generation } of kept) {
    if (generation < next || (head !== undefined && generation >= head.generation)) throw invalid()
    next = generation + 1
  }
}

function invalid(): MlsError {
  return new MlsError('state-malformed', 'this is not the state of a secret tree')
}
