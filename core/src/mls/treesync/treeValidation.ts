import { type Bytes, toHex } from '../../codec/bytes.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { LeafIndex, ParentNode } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import { isEncryptionKey } from './encryptionKey.ts'
import { checkLeafNode, type LeafRequirements, verifyLeafNodeSignature } from './leafNode.ts'
import { isParentHashValid } from './parentHash.ts'
import type { Member, PublicTree } from './publicTree.ts'
import { holds, leafIn, type ParentSubtree, type Subtree } from './subtree.ts'

/**
 * RFC 9420 §12.4.3.1, "verify the integrity of the ratchet tree", for a tree received whole.
 * @throws MlsError `tree-…` or `leaf-…`
 */
export async function validateTree(
  crypto: PublicSuite,
  tree: PublicTree,
  groupId: Uint8Array<ArrayBuffer>,
  requirements: LeafRequirements,
): Promise<void> {
  checkMembers(tree.members(), requirements)
  checkNodeKeys(tree)
  checkParents(crypto, tree, requirements.cipherSuite)
  await Promise.all(
    tree
      .members()
      .map(({ leafIndex, leafNode }) =>
        verifyLeafNodeSignature(crypto, leafNode, { groupId, leafIndex }),
      ),
  )
}

/**
 * What must hold among the members whenever the tree has changed (§7.3, §12.2 last rule).
 * @throws MlsError `leaf-…`
 */
export function checkMembers(members: readonly Member[], requirements: LeafRequirements): void {
  const signatureKeys = new Set<string>()
  const encryptionKeys = new Set<string>()
  const credentialTypes = new Set<number>()
  for (const { leafNode } of members) {
    checkLeafNode(leafNode, requirements)
    signatureKeys.add(toHex(leafNode.signatureKey))
    encryptionKeys.add(toHex(leafNode.encryptionKey))
    credentialTypes.add(leafNode.credential.credentialType)
  }
  if (signatureKeys.size < members.length) {
    throw new MlsError('leaf-signature-key-duplicate', 'two leaves have the same signature key')
  }
  if (encryptionKeys.size < members.length) {
    throw new MlsError('leaf-encryption-key-duplicate', 'two leaves have the same encryption key')
  }
  for (const { leafNode } of members) {
    for (const type of credentialTypes) {
      if (!leafNode.capabilities.credentials.includes(type)) {
        throw new MlsError('leaf-credential-unsupported', `a member cannot read credential ${type}`)
      }
    }
  }
}

/**
 * §12.4.3.1: no parent's key stands in another node. It depends on every leaf that enters or
 * changes, so that it has to be asked again then, or the next joiner could not open the tree.
 * @throws MlsError `tree-key-duplicate`
 */
export function checkNodeKeys(tree: PublicTree): void {
  const keys = new Set(tree.members().map(({ leafNode }) => toHex(leafNode.encryptionKey)))
  for (const { encryptionKey } of tree.parents()) {
    const key = toHex(encryptionKey as Bytes)
    if (keys.has(key)) {
      throw new MlsError('tree-key-duplicate', 'an encryption key stands in two nodes')
    }
    keys.add(key)
  }
}

function checkParents(crypto: PublicSuite, tree: PublicTree, cipherSuite: number): void {
  for (const parent of tree.parents()) {
    const parentNode = parent.parentNode as ParentNode
    if (!isEncryptionKey(cipherSuite, parentNode.encryptionKey)) {
      throw new MlsError('tree-key-invalid', 'nothing can be sealed to the key of a parent node')
    }
    checkUnmergedLeaves(parent, parentNode.unmergedLeaves)
    if (!isParentHashValid(crypto, parent)) {
      throw new MlsError('tree-parent-hash-invalid', 'a parent hash does not verify')
    }
  }
}

/** @throws MlsError `tree-unmerged-leaf-invalid` */
function checkUnmergedLeaves(parent: ParentSubtree, unmerged: readonly LeafIndex[]): void {
  unmerged.forEach((leaf, i) => {
    const sorted = i === 0 || (unmerged[i - 1] as LeafIndex) < leaf
    if (!sorted || !holds(parent, leaf) || leafIn(parent, leaf).leafNode === undefined) {
      throw new MlsError(
        'tree-unmerged-leaf-invalid',
        'unmerged leaves must be members below, sorted',
      )
    }
    let at: Subtree = parent
    while (at.kind === 'parent') {
      if (at.parentNode !== undefined && !at.parentNode.unmergedLeaves.includes(leaf)) {
        throw new MlsError('tree-unmerged-leaf-invalid', 'a leaf is merged below but not above')
      }
      at = holds(at.left, leaf) ? at.left : at.right
    }
  })
}
