import type { Bytes } from '../../codec/bytes.ts'
import { isEncryptionKey } from '../../crypto/public/encryptionKey.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import {
  checkLeafNode,
  checkSupport,
  type LeafRequirements,
  verifyLeafNodeSignatures,
} from './leafNode.ts'
import { isParentHashValid } from './parentHash.ts'
import type { Member, PublicTree } from './publicTree.ts'
import { leafIn, leavesWithin, type Subtree } from './subtree.ts'

/**
 * RFC 9420 §12.4.3.1, "verify the integrity of the ratchet tree", for a tree received whole. Gives
 * the members of the tree, since it has to decode them.
 * @throws MlsError `tree-…` or `leaf-…`
 */
export async function validateTree(
  crypto: PublicSuite,
  tree: PublicTree,
  groupId: Bytes,
  requirements: LeafRequirements,
): Promise<readonly Member[]> {
  const members = checkLeaves(tree, requirements)
  // Where the platform verifies on other threads, the rest is checked meanwhile.
  const verified = verifyLeafNodeSignatures(crypto, members, groupId)
  try {
    checkNodes(crypto, tree, requirements)
  } catch (error) {
    await verified.catch(() => {})
    throw error
  }
  await verified
  return members
}

/**
 * `validateTree` but for the signatures of the leaves.
 * @throws MlsError `tree-…` or `leaf-…`
 */
export function validateUnverifiedTree(
  crypto: PublicSuite,
  tree: PublicTree,
  requirements: LeafRequirements,
): readonly Member[] {
  const members = checkLeaves(tree, requirements)
  checkNodes(crypto, tree, requirements)
  return members
}

function checkLeaves(tree: PublicTree, requirements: LeafRequirements): readonly Member[] {
  const members = tree.members()
  for (const { leafNode } of members) checkLeafNode(leafNode, requirements)
  return members
}

function checkNodes(crypto: PublicSuite, tree: PublicTree, requirements: LeafRequirements): void {
  checkMembers(tree, requirements)
  checkUnmergedLeaves(tree.root)
  checkParents(crypto, tree)
}

/**
 * What must hold among the members and keys of a tree whenever it has changed (§7.3, §12.2 last
 * rule, §12.4.3.1). Each leaf by itself has been checked when it entered. Takes no time for the
 * leaves and parents that have not changed since the last tree that was asked about.
 * @throws MlsError `leaf-…`, `tree-key-duplicate`
 */
export function checkMembers(tree: PublicTree, requirements: LeafRequirements): void {
  const { capabilities, keys } = tree
  if (capabilities !== undefined) checkSupport(capabilities, requirements)
  if (keys.hasSignatureKeyTwice) {
    throw new MlsError('leaf-signature-key-duplicate', 'two leaves have the same signature key')
  }
  if (keys.hasEncryptionKeyTwice) {
    throw keys.hasLeafKeyTwice
      ? new MlsError('leaf-encryption-key-duplicate', 'two leaves have the same encryption key')
      : new MlsError('tree-key-duplicate', 'an encryption key stands in two nodes')
  }
  for (const type of capabilities?.credentialsInUse ?? []) {
    if (!capabilities?.credentials.includes(type)) {
      throw new MlsError('leaf-credential-unsupported', `a member cannot read credential ${type}`)
    }
  }
}

/**
 * §12.4.3.1: unmerged leaves are members below, sorted, and unmerged also in the parents between.
 * `inherited` are those of the next parent above that is not blank.
 * @throws MlsError `tree-unmerged-leaf-invalid`
 */
export function checkUnmergedLeaves(subtree: Subtree, inherited: readonly LeafIndex[] = []): void {
  if (subtree.kind === 'leaf' || subtree.isBlank) return
  const { keys, unmergedLeaves } = subtree
  const expected = leavesWithin(subtree, inherited)
  if (keys !== undefined) {
    const inOrder = unmergedLeaves.every(
      (leaf, i) => i === 0 || (unmergedLeaves[i - 1] ?? 0) < leaf,
    )
    if (!inOrder || leavesWithin(subtree, unmergedLeaves).length < unmergedLeaves.length) {
      throw unmergedInvalid('unmerged leaves must be below, sorted')
    }
    if (unmergedLeaves.some((leaf) => leafIn(subtree, leaf).isBlank)) {
      throw unmergedInvalid('an unmerged leaf is blank')
    }
    const here = new Set(unmergedLeaves)
    if (!expected.every((leaf) => here.has(leaf))) {
      throw unmergedInvalid('a leaf is merged below but not above')
    }
  }
  const below = keys === undefined ? expected : unmergedLeaves
  checkUnmergedLeaves(subtree.left, below)
  checkUnmergedLeaves(subtree.right, below)
}

function unmergedInvalid(message: string): MlsError {
  return new MlsError('tree-unmerged-leaf-invalid', message)
}

/** @throws MlsError `tree-key-invalid`, `tree-parent-hash-invalid` */
function checkParents(crypto: PublicSuite, tree: PublicTree): void {
  for (const parent of tree.parents()) {
    const { parentNode } = parent
    if (parentNode === undefined) continue
    if (!isEncryptionKey(crypto.suite.id, parentNode.encryptionKey)) {
      throw new MlsError('tree-key-invalid', 'nothing can be sealed to the key of a parent node')
    }
    if (!isParentHashValid(crypto, parent, parentNode)) {
      throw new MlsError('tree-parent-hash-invalid', 'a parent hash does not verify')
    }
  }
}
