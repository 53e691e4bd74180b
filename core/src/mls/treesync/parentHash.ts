import { type Bytes, emptyBytes, equalBytes } from '../../codec/bytes.ts'
import { encodeFor } from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { ParentHashInput, type ParentNode } from '../../wire/ratchetTree.ts'
import { LeafNodeSource } from '../../wire/registry.ts'
import type { PathStep } from './publicTree.ts'
import {
  leavesWithin,
  type ParentSubtree,
  resolution,
  type Subtree,
  treeHashWithout,
} from './subtree.ts'

/** RFC 9420 §7.9: the hash of `parent` as seen from below, across `sibling`. */
function parentHash(crypto: PublicSuite, parent: ParentNode, sibling: Subtree): Bytes {
  const { encryptionKey, parentHash, unmergedLeaves } = parent
  const originalSiblingTreeHash = treeHashWithout(crypto, sibling, unmergedLeaves)
  return encodeFor(
    ParentHashInput,
    { encryptionKey, parentHash, originalSiblingTreeHash },
    (encoding) => crypto.hash(encoding),
  )
}

/**
 * The parent nodes of a fresh path with their parent hashes, and the one for the leaf.
 * `encryptionKeys` follow `steps`, the committer's filtered direct path.
 */
export function pathParentHashes(
  crypto: PublicSuite,
  steps: readonly PathStep[],
  encryptionKeys: readonly Bytes[],
): { parentNodes: readonly ParentNode[]; leafParentHash: Bytes } {
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

/**
 * RFC 9420 §7.9.2: some node below was set in the same path as `parent`. Unmerged leaves have been
 * checked before.
 */
export function isParentHashValid(
  crypto: PublicSuite,
  parent: ParentSubtree,
  parentNode: ParentNode,
): boolean {
  return (
    isLinkedFrom(crypto, parentNode, parent.left, parent.right) ||
    isLinkedFrom(crypto, parentNode, parent.right, parent.left)
  )
}

function isLinkedFrom(
  crypto: PublicSuite,
  parentNode: ParentNode,
  child: Subtree,
  sibling: Subtree,
): boolean {
  const below = resolution(child)
  const unmerged = leavesWithin(child, parentNode.unmergedLeaves)
  // Whatever else the child resolves to must have come after the path, as unmerged leaves.
  if (below.length !== unmerged.length + 1) return false
  const expected = parentHash(crypto, parentNode, sibling)
  const linked = below.findIndex((node) => {
    const carried = carriedParentHash(node)
    return carried !== undefined && equalBytes(carried, expected)
  })
  return (
    linked >= 0 &&
    below
      .toSpliced(linked, 1)
      .every((node, i) => node.kind === 'leaf' && node.firstLeaf === unmerged[i])
  )
}

function carriedParentHash(node: Subtree): Bytes | undefined {
  if (node.kind === 'parent') return node.parentNode?.parentHash
  const { leafNode } = node
  return leafNode?.leafNodeSource === LeafNodeSource.commit ? leafNode.parentHash : undefined
}
