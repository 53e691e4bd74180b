import { type Bytes, emptyBytes, equalBytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { type LeafIndex, ParentHashInput, type ParentNode } from '../../wire/ratchetTree.ts'
import { LeafNodeSource } from '../../wire/registry.ts'
import type { PublicTree } from './publicTree.ts'
import { holds, type ParentSubtree, resolution, type Subtree, treeHashWithout } from './subtree.ts'

/** RFC 9420 §7.9: the hash of `parent` as seen from below, across `sibling`. */
function parentHash(crypto: PublicSuite, parent: ParentNode, sibling: Subtree): Bytes {
  return crypto.hash(
    encode(ParentHashInput, {
      encryptionKey: parent.encryptionKey,
      parentHash: parent.parentHash,
      originalSiblingTreeHash: treeHashWithout(crypto, sibling, parent.unmergedLeaves),
    }),
  )
}

/**
 * The parent nodes of a fresh path with their parent hashes, and the one for the leaf.
 * `encryptionKeys` follow `tree.filteredDirectPath(leaf)`.
 */
export function pathParentHashes(
  crypto: PublicSuite,
  tree: PublicTree,
  leaf: LeafIndex,
  encryptionKeys: readonly Bytes[],
): { parentNodes: readonly ParentNode[]; leafParentHash: Bytes } {
  const steps = tree.filteredDirectPath(leaf)
  const parentNodes: ParentNode[] = []
  let above: Bytes = emptyBytes
  for (let i = steps.length - 1; i >= 0; i--) {
    const parentNode: ParentNode = {
      encryptionKey: encryptionKeys[i] as Bytes,
      parentHash: above,
      unmergedLeaves: [],
    }
    parentNodes.unshift(parentNode)
    above = parentHash(crypto, parentNode, (steps[i] as { copath: Subtree }).copath)
  }
  return { parentNodes, leafParentHash: above }
}

/** RFC 9420 §7.9.2: some node below was set in the same path as `parent`. */
export function isParentHashValid(crypto: PublicSuite, parent: ParentSubtree): boolean {
  return (
    isLinkedFrom(crypto, parent, parent.left, parent.right) ||
    isLinkedFrom(crypto, parent, parent.right, parent.left)
  )
}

function isLinkedFrom(
  crypto: PublicSuite,
  parent: ParentSubtree,
  child: Subtree,
  sibling: Subtree,
): boolean {
  const parentNode = parent.parentNode as ParentNode
  const expected = parentHash(crypto, parentNode, sibling)
  const below = resolution(child)
  const linked = below.find((node) => {
    const carried = carriedParentHash(node)
    return carried !== undefined && equalBytes(carried, expected)
  })
  if (linked === undefined) return false
  // Whatever else the child resolves to must have come after the path, as unmerged leaves.
  const others = below.filter((node) => node !== linked)
  const unmerged = parentNode.unmergedLeaves.filter((leaf) => holds(child, leaf))
  return (
    others.length === unmerged.length &&
    others.every((node) => node.kind === 'leaf' && unmerged.includes(node.firstLeaf))
  )
}

function carriedParentHash(node: Subtree): Bytes | undefined {
  if (node.kind === 'parent') return node.parentNode?.parentHash
  const { leafNode } = node
  return leafNode?.leafNodeSource === LeafNodeSource.commit ? leafNode.parentHash : undefined
}
