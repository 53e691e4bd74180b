import { equalBytes, toHex } from '../../codec/bytes.ts'
import { isEncryptionKey } from '../../crypto/public/encryptionKey.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { LeafIndex, UpdatePath } from '../../wire/ratchetTree.ts'
import { LeafNodeSource } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { pathParentHashes } from '../treesync/parentHash.ts'
import type { PathStep, PublicTree } from '../treesync/publicTree.ts'
import { resolution, type Subtree } from '../treesync/subtree.ts'

/** §7.6: the nodes that a step's path secret is sealed to, which excludes who was just added. */
export function sealTargets(step: PathStep, added: readonly LeafIndex[]): readonly Subtree[] {
  const newcomers = new Set(added)
  return resolution(step.copath).filter(
    (node) => node.kind === 'parent' || !newcomers.has(node.firstLeaf),
  )
}

/**
 * RFC 9420 §7.5 and §7.6, the half that needs no secrets: checks the shape, keys and parent hash of
 * an UpdatePath against the tree after proposals, and merges it.
 * @throws MlsError `commit-path-…`, `leaf-source-wrong`
 */
export function mergePath(
  crypto: PublicSuite,
  tree: PublicTree,
  committer: LeafIndex,
  path: UpdatePath,
  added: readonly LeafIndex[],
): PublicTree {
  const { leafNode, nodes } = path
  if (leafNode.leafNodeSource !== LeafNodeSource.commit) {
    throw new MlsError('leaf-source-wrong', "a path's leaf must say so")
  }
  const steps = tree.filteredDirectPath(committer)
  if (nodes.length !== steps.length) {
    throw new MlsError(
      'commit-path-length-wrong',
      `${nodes.length} nodes for ${steps.length} steps`,
    )
  }
  steps.forEach((step, i) => {
    if (nodes[i]?.encryptedPathSecret.length !== sealTargets(step, added).length) {
      throw new MlsError('commit-path-ciphertext-count-wrong', 'a path secret is not sealed to all')
    }
  })
  checkFreshKeys(crypto, tree, committer, path)
  const keys = nodes.map(({ encryptionKey }) => encryptionKey)
  const { parentNodes, leafParentHash } = pathParentHashes(crypto, steps, keys)
  if (!equalBytes(leafNode.parentHash, leafParentHash)) {
    throw new MlsError('commit-path-parent-hash-wrong', "the leaf's parent hash does not match")
  }
  return tree.withPath(committer, leafNode, steps, parentNodes)
}

/** §12.4.2: no key of a path may stand anywhere else in the new tree. */
function checkFreshKeys(
  crypto: PublicSuite,
  tree: PublicTree,
  committer: LeafIndex,
  path: UpdatePath,
): void {
  if (path.nodes.some(({ encryptionKey }) => !isEncryptionKey(crypto.suite.id, encryptionKey))) {
    throw new MlsError('commit-path-key-invalid', 'nothing can be sealed to a key of the path')
  }
  const current = tree.leafNode(committer)
  if (current !== undefined && equalBytes(current.encryptionKey, path.leafNode.encryptionKey)) {
    throw new MlsError('commit-path-key-unchanged', 'a path must bring a new leaf key')
  }
  const fresh = [path.leafNode, ...path.nodes].map(({ encryptionKey }) => encryptionKey)
  const clash = fresh.some((key) => tree.keys.hasEncryptionKey(key))
  if (clash || new Set(fresh.map(toHex)).size < fresh.length) {
    throw new MlsError('commit-path-key-duplicate', 'a key of the path stands in another node')
  }
}
