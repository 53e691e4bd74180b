import type { Bytes } from '../../codec/bytes.ts'
import {
  type Codec,
  decode,
  decodePrefix,
  encode,
  encodeEach,
  encodeFor,
  type Infer,
  opaque,
  optional,
  struct,
  uint8,
  variant,
  vector,
} from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { LeafIndex, type LeafNode, type ParentNode, TreeHashInput } from '../../wire/ratchetTree.ts'
import { NodeType } from '../../wire/registry.ts'
import { type CommonCapabilities, capabilitiesOf, combined } from './commonCapabilities.ts'
import { PackedBytes } from './packedBytes.ts'

/**
 * A node of the ratchet tree together with all below it. Subtrees are immutable and shared: a new
 * epoch copies only the path from a changed leaf to the root, and every parent remembers the hash
 * of its subtree. Nodes are kept in encoded form, which takes a third of the memory of their
 * fields, and decoded when they are asked for.
 */
export type Subtree = LeafSubtree | ParentSubtree

/** How the hash input of a leaf that is not blank begins. */
const LeafKeys = struct({
  nodeType: uint8,
  leafIndex: LeafIndex,
  presence: uint8,
  encryptionKey: opaque(),
  signatureKey: opaque(),
})

/** What begins a leaf's hash input and not its encoding: node type, leaf index, presence. */
const beforeLeafNode = 6

/** A leaf of the ratchet tree, blank or a member's, in encoded form. */
export class LeafSubtree {
  readonly kind = 'leaf'
  readonly level = 0
  readonly firstLeaf: LeafIndex
  /** Undefined for a blank leaf. */
  readonly capabilities: CommonCapabilities | undefined
  /** Undefined for a blank leaf. */
  readonly leafNodeSource: LeafNode['leafNodeSource'] | undefined
  /** The TreeHashInput. */
  readonly #encoded: PackedBytes | undefined

  private constructor(
    leafIndex: LeafIndex,
    encoded?: PackedBytes,
    capabilities?: CommonCapabilities,
    leafNodeSource?: LeafNode['leafNodeSource'],
  ) {
    this.firstLeaf = leafIndex
    this.#encoded = encoded
    this.capabilities = capabilities
    this.leafNodeSource = leafNodeSource
  }

  /** `like` are the capabilities that the leaf may turn out to have too. */
  static of(leafIndex: LeafIndex, leafNode: LeafNode, like?: CommonCapabilities): LeafSubtree {
    const encoded = new PackedBytes(encode(TreeHashInput, hashInput(leafIndex, leafNode)))
    const { leafNodeSource } = leafNode
    return new LeafSubtree(leafIndex, encoded, capabilitiesOf(leafNode, like), leafNodeSource)
  }

  /** Leaves that come together and share a buffer. */
  static pack(
    leaves: readonly { readonly leafIndex: LeafIndex; readonly leafNode: LeafNode }[],
  ): readonly LeafSubtree[] {
    const inputs = leaves.map(({ leafIndex, leafNode }) => hashInput(leafIndex, leafNode))
    let like: CommonCapabilities | undefined
    return encodeEach(TreeHashInput, inputs).map((encoding, i) => {
      const { leafIndex, leafNode } = leaves[i] as (typeof leaves)[number]
      like = capabilitiesOf(leafNode, like)
      const { leafNodeSource } = leafNode
      return new LeafSubtree(leafIndex, new PackedBytes(encoding), like, leafNodeSource)
    })
  }

  static blank(leafIndex: LeafIndex): LeafSubtree {
    return new LeafSubtree(leafIndex)
  }

  get isBlank(): boolean {
    return this.#encoded === undefined
  }

  get memberCount(): number {
    return this.isBlank ? 0 : 1
  }

  /** Undefined for a blank leaf. */
  get leafNode(): LeafNode | undefined {
    if (this.#encoded === undefined) return undefined
    const input = decode(TreeHashInput, this.#encoded.view)
    return input.nodeType === NodeType.leaf ? input.leafNode : undefined
  }

  /** Undefined for a blank leaf. */
  get encodedNode(): EncodedNode | undefined {
    if (this.#encoded === undefined) return undefined
    return { nodeType: NodeType.leaf, leafNode: this.#encoded.view.subarray(beforeLeafNode) }
  }

  get encryptionKey(): Bytes | undefined {
    return this.#keys?.encryptionKey
  }

  get signatureKey(): Bytes | undefined {
    return this.#keys?.signatureKey
  }

  get #keys(): Infer<typeof LeafKeys> | undefined {
    return this.#encoded && decodePrefix(LeafKeys, this.#encoded.view)
  }

  /** RFC 9420 §7.8. Not remembered: it is asked for only when a neighbour changes. */
  treeHash(crypto: PublicSuite): Bytes {
    return this.#encoded === undefined
      ? hashOf(crypto, hashInput(this.firstLeaf, undefined))
      : crypto.hash(this.#encoded.view)
  }
}

function hashInput(leafIndex: LeafIndex, leafNode: LeafNode | undefined): TreeHashInput {
  return { nodeType: NodeType.leaf, leafIndex, leafNode }
}

function hashOf(crypto: PublicSuite, input: TreeHashInput): Bytes {
  return encodeFor(TreeHashInput, input, (encoding) => crypto.hash(encoding))
}

const ParentKeys = struct({ encryptionKey: opaque(), parentHash: opaque() })

/** What has been encoded before. */
const encoded: Codec<Bytes> = {
  write: (bytes, to) => to.raw(bytes),
  read: (from) => from.raw(from.remaining),
}

/** A `Node` (RFC 9420 §12.4.3.3) of which the tree keeps most in encoded form. */
const EncodedNode = variant('nodeType', uint8, {
  [NodeType.leaf]: struct({ leafNode: encoded }),
  [NodeType.parent]: struct({ keys: encoded, unmergedLeaves: vector(LeafIndex) }),
})
export type EncodedNode = Infer<typeof EncodedNode>
export const EncodedRatchetTree = vector(optional(EncodedNode))

/** What of parent nodes is kept encoded: all but their unmerged leaves, which change more often. */
export function packParentKeys(parentNodes: readonly ParentNode[]): readonly PackedBytes[] {
  return encodeEach(ParentKeys, parentNodes).map((encoding) => new PackedBytes(encoding))
}

export class ParentSubtree {
  readonly kind = 'parent'
  readonly level: number
  readonly firstLeaf: LeafIndex
  /** Undefined for a blank parent. */
  readonly keys: PackedBytes | undefined
  readonly unmergedLeaves: readonly LeafIndex[]
  readonly left: Subtree
  readonly right: Subtree
  readonly memberCount: number
  /** Whether neither this node nor any below it holds anything: the resolution is empty. */
  readonly isBlank: boolean
  readonly capabilities: CommonCapabilities | undefined
  #treeHash: Bytes | undefined

  constructor(
    keys: PackedBytes | undefined,
    unmergedLeaves: readonly LeafIndex[],
    left: Subtree,
    right: Subtree,
  ) {
    this.level = left.level + 1
    this.firstLeaf = left.firstLeaf
    this.keys = keys
    this.unmergedLeaves = unmergedLeaves
    this.left = left
    this.right = right
    this.memberCount = left.memberCount + right.memberCount
    this.isBlank = keys === undefined && left.isBlank && right.isBlank
    this.capabilities = combined(left.capabilities, right.capabilities)
  }

  static blank(left: Subtree, right: Subtree): ParentSubtree {
    return new ParentSubtree(undefined, [], left, right)
  }

  get parentNode(): ParentNode | undefined {
    return (
      this.keys && {
        ...decode(ParentKeys, this.keys.view),
        unmergedLeaves: this.unmergedLeaves,
      }
    )
  }

  /** Undefined for a blank parent. */
  get encodedNode(): EncodedNode | undefined {
    if (this.keys === undefined) return undefined
    const { keys, unmergedLeaves } = this
    return { nodeType: NodeType.parent, keys: keys.view, unmergedLeaves }
  }

  get encryptionKey(): Bytes | undefined {
    return this.keys && parentKey(this.keys)
  }

  treeHash(crypto: PublicSuite): Bytes {
    this.#treeHash ??= parentNodeHash(
      crypto,
      this.parentNode,
      this.left.treeHash(crypto),
      this.right.treeHash(crypto),
    )
    return this.#treeHash
  }
}

/** The encryption key in a parent's encoded keys. */
export function parentKey(keys: PackedBytes): Bytes {
  return decodePrefix(opaque(), keys.view)
}

/** RFC 9420 §7.8 */
function parentNodeHash(
  crypto: PublicSuite,
  parentNode: ParentNode | undefined,
  leftHash: Bytes,
  rightHash: Bytes,
): Bytes {
  return hashOf(crypto, { nodeType: NodeType.parent, parentNode, leftHash, rightHash })
}

/**
 * RFC 9420 §7.9: the tree hash as if `leaves`, in increasing order, had never been added. Only
 * subtrees that hold one of them are hashed anew.
 */
export function treeHashWithout(
  crypto: PublicSuite,
  subtree: Subtree,
  leaves: readonly LeafIndex[],
): Bytes {
  const within = leavesWithin(subtree, leaves)
  if (within.length === 0) return subtree.treeHash(crypto)
  if (subtree.kind === 'leaf') return LeafSubtree.blank(subtree.firstLeaf).treeHash(crypto)
  const { parentNode, left, right } = subtree
  return parentNodeHash(
    crypto,
    parentNode && {
      ...parentNode,
      unmergedLeaves: without(parentNode.unmergedLeaves, within),
    },
    treeHashWithout(crypto, left, within),
    treeHashWithout(crypto, right, within),
  )
}

/** Those of `leaves` that `subtree` holds; they are in increasing order. */
export function leavesWithin(subtree: Subtree, leaves: readonly LeafIndex[]): readonly LeafIndex[] {
  if (leaves.length === 0) return leaves
  const { firstLeaf, level } = subtree
  const from = firstNotBelow(leaves, firstLeaf)
  const to = firstNotBelow(leaves, firstLeaf + 2 ** level)
  return from === 0 && to === leaves.length ? leaves : leaves.slice(from, to)
}

function firstNotBelow(leaves: readonly LeafIndex[], bound: number): number {
  let low = 0
  let high = leaves.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((leaves[middle] as LeafIndex) < bound) low = middle + 1
    else high = middle
  }
  return low
}

function without(leaves: readonly LeafIndex[], gone: readonly LeafIndex[]): readonly LeafIndex[] {
  if (leaves.length === 0) return leaves
  const dropped = new Set(gone)
  return leaves.filter((leaf) => !dropped.has(leaf))
}

export function holds(subtree: Subtree, leaf: LeafIndex): boolean {
  return leaf >> subtree.level === subtree.firstLeaf >> subtree.level
}

export function leafIn(subtree: Subtree, leaf: LeafIndex): LeafSubtree {
  let at = subtree
  while (at.kind === 'parent') at = holds(at.left, leaf) ? at.left : at.right
  return at
}

export function blankSubtree(level: number, firstLeaf: LeafIndex): Subtree {
  if (level === 0) return LeafSubtree.blank(firstLeaf)
  const middle = (firstLeaf + (1 << (level - 1))) as LeafIndex
  return ParentSubtree.blank(blankSubtree(level - 1, firstLeaf), blankSubtree(level - 1, middle))
}

/**
 * RFC 9420 §4.1.1: the non-blank nodes that together cover all members below, from the left, with
 * a parent's unmerged leaves after it.
 */
export function resolution(subtree: Subtree): readonly Subtree[] {
  const nodes: Subtree[] = []
  collectResolution(subtree, nodes)
  return nodes
}

function collectResolution(subtree: Subtree, nodes: Subtree[]): void {
  if (subtree.kind === 'leaf') {
    if (!subtree.isBlank) nodes.push(subtree)
  } else if (subtree.keys === undefined) {
    collectResolution(subtree.left, nodes)
    collectResolution(subtree.right, nodes)
  } else {
    nodes.push(subtree)
    for (const leaf of subtree.unmergedLeaves) nodes.push(leafIn(subtree, leaf))
  }
}

/** Calls `seen` for every node that holds something or stands above one that does. */
export function visit(subtree: Subtree, seen: (subtree: Subtree) => void): void {
  if (subtree.isBlank) return
  seen(subtree)
  if (subtree.kind === 'leaf') return
  visit(subtree.left, seen)
  visit(subtree.right, seen)
}
