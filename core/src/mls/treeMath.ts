import type { LeafIndex } from '../wire/ratchetTree.ts'

/*
 * Indices of a complete binary tree laid out in an array (RFC 9420 Appendix C). Leaves have even
 * indices; a node's level is the number of trailing one bits of its index.
 *
 *                              X
 *              X                               X
 *      X               X               X               X
 *  X       X       X       X       X       X       X       X
 *  0   1   2   3   4   5   6   7   8   9  10  11  12  13  14   node
 *  0       1       2       3       4       5       6       7   leaf
 *
 * Indices are below 2^31 wherever they occur, which is what the bitwise operators allow.
 */

declare const nodeIndexBrand: unique symbol
export type NodeIndex = number & { readonly [nodeIndexBrand]: true }

export function nodeOfLeaf(leaf: LeafIndex): NodeIndex {
  return (2 * leaf) as NodeIndex
}

/** 0 for a leaf. */
export function level(node: NodeIndex): number {
  let level = 0
  while (((node >> level) & 1) === 1) level++
  return level
}

/** The node at `level` above the leaf. */
export function ancestorOf(leaf: LeafIndex, level: number): NodeIndex {
  return (((leaf >> level) << (level + 1)) + (1 << level) - 1) as NodeIndex
}

/** `leafCount` is a power of two. */
export function root(leafCount: number): NodeIndex {
  return (leafCount - 1) as NodeIndex
}

export function left(node: NodeIndex): NodeIndex | undefined {
  const k = level(node)
  return k === 0 ? undefined : ((node ^ (1 << (k - 1))) as NodeIndex)
}

export function right(node: NodeIndex): NodeIndex | undefined {
  const k = level(node)
  return k === 0 ? undefined : ((node ^ (3 << (k - 1))) as NodeIndex)
}

export function parent(node: NodeIndex, leafCount: number): NodeIndex | undefined {
  if (node === root(leafCount)) return undefined
  const k = level(node)
  const side = (node >> (k + 1)) & 1
  return ((node | (1 << k)) ^ (side << (k + 1))) as NodeIndex
}

export function sibling(node: NodeIndex, leafCount: number): NodeIndex | undefined {
  const above = parent(node, leafCount)
  if (above === undefined) return undefined
  return node < above ? right(above) : left(above)
}

/** The lowest level at which two different leaves share an ancestor. */
export function commonAncestorLevel(a: LeafIndex, b: LeafIndex): number {
  return 32 - Math.clz32(a ^ b)
}
