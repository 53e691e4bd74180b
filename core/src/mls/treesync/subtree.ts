import type { Bytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import {
  type LeafIndex,
  type LeafNode,
  type ParentNode,
  TreeHashInput,
} from '../../wire/ratchetTree.ts'
import { NodeType } from '../../wire/registry.ts'

/**
 * A node of the ratchet tree together with all below it. Subtrees are immutable and shared: a new
 * epoch copies only the path from a changed leaf to the root, and every subtree remembers its hash.
 */
export type Subtree = LeafSubtree | ParentSubtree

export class LeafSubtree {
  readonly kind = 'leaf'
  readonly level = 0
  readonly firstLeaf: LeafIndex
  /** Undefined for a blank leaf. */
  readonly leafNode: LeafNode | undefined
  #treeHash: Bytes | undefined

  constructor(leafIndex: LeafIndex, leafNode: LeafNode | undefined) {
    this.firstLeaf = leafIndex
    this.leafNode = leafNode
  }

  get memberCount(): number {
    return this.leafNode === undefined ? 0 : 1
  }

  get encryptionKey(): Bytes | undefined {
    return this.leafNode?.encryptionKey
  }

  treeHash(crypto: PublicSuite): Bytes {
    this.#treeHash ??= leafHash(crypto, this.firstLeaf, this.leafNode)
    return this.#treeHash
  }
}

export class ParentSubtree {
  readonly kind = 'parent'
  readonly level: number
  readonly firstLeaf: LeafIndex
  /** Undefined for a blank parent. */
  readonly parentNode: ParentNode | undefined
  readonly left: Subtree
  readonly right: Subtree
  readonly memberCount: number
  #treeHash: Bytes | undefined

  constructor(parentNode: ParentNode | undefined, left: Subtree, right: Subtree) {
    this.level = left.level + 1
    this.firstLeaf = left.firstLeaf
    this.parentNode = parentNode
    this.left = left
    this.right = right
    this.memberCount = left.memberCount + right.memberCount
  }

  get encryptionKey(): Bytes | undefined {
    return this.parentNode?.encryptionKey
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

/** RFC 9420 §7.8 */
function leafHash(
  crypto: PublicSuite,
  leafIndex: LeafIndex,
  leafNode: LeafNode | undefined,
): Bytes {
  return crypto.hash(encode(TreeHashInput, { nodeType: NodeType.leaf, leafIndex, leafNode }))
}

/** RFC 9420 §7.8 */
function parentNodeHash(
  crypto: PublicSuite,
  parentNode: ParentNode | undefined,
  leftHash: Bytes,
  rightHash: Bytes,
): Bytes {
  return crypto.hash(
    encode(TreeHashInput, { nodeType: NodeType.parent, parentNode, leftHash, rightHash }),
  )
}

/**
 * RFC 9420 §7.9: the tree hash as if `leaves` had never been added. Only subtrees that hold one of
 * them are hashed anew.
 */
export function treeHashWithout(
  crypto: PublicSuite,
  subtree: Subtree,
  leaves: readonly LeafIndex[],
): Bytes {
  const within = leaves.filter((leaf) => holds(subtree, leaf))
  if (within.length === 0) return subtree.treeHash(crypto)
  if (subtree.kind === 'leaf') return leafHash(crypto, subtree.firstLeaf, undefined)
  const { parentNode, left, right } = subtree
  return parentNodeHash(
    crypto,
    parentNode && {
      ...parentNode,
      unmergedLeaves: parentNode.unmergedLeaves.filter((leaf) => !within.includes(leaf)),
    },
    treeHashWithout(crypto, left, within),
    treeHashWithout(crypto, right, within),
  )
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
  if (level === 0) return new LeafSubtree(firstLeaf, undefined)
  const middle = (firstLeaf + (1 << (level - 1))) as LeafIndex
  return new ParentSubtree(
    undefined,
    blankSubtree(level - 1, firstLeaf),
    blankSubtree(level - 1, middle),
  )
}

/**
 * RFC 9420 §4.1.1: the non-blank nodes that together cover all members below, from the left, with
 * a parent's unmerged leaves after it.
 */
export function resolution(subtree: Subtree): readonly Subtree[] {
  if (subtree.memberCount === 0 && subtree.encryptionKey === undefined) return []
  if (subtree.kind === 'leaf') return [subtree]
  const { parentNode } = subtree
  if (parentNode === undefined) return [...resolution(subtree.left), ...resolution(subtree.right)]
  return [subtree, ...parentNode.unmergedLeaves.map((leaf) => leafIn(subtree, leaf))]
}
