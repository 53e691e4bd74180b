import { equalBytes } from '../../codec/bytes.ts'
import type { Bytes } from '../../codec/bytes.ts'
import { isEncryptionKey } from '../../crypto/public/encryptionKey.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { signContent } from '../../crypto/public/verifyWithLabel.ts'
import type { LeafIndex, ParentNode } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import {
  checkLeafNode,
  checkSupport,
  invalidSignature,
  type LeafRequirements,
  leafNodeLabel,
  leafNodeTbs,
} from './leafNode.ts'
import { isParentHashValid } from './parentHash.ts'
import type { Member, PublicTree } from './publicTree.ts'
import { leafIn, leavesWithin, type Subtree } from './subtree.ts'

/**
 * RFC 9420 §12.4.3.1, "verify the integrity of the ratchet tree", for a tree received whole.
 * `members` are its own.
 * @throws MlsError `tree-…` or `leaf-…`
 */
export async function validateTree(
  crypto: PublicSuite,
  tree: PublicTree,
  members: readonly Member[],
  groupId: Bytes,
  requirements: LeafRequirements,
): Promise<void> {
  for (const { leafNode } of members) checkLeafNode(leafNode, requirements)
  checkMembers(tree, requirements)
  checkUnmergedLeaves(tree.root, [])
  checkParents(crypto, tree)
  const results = await crypto.verifyAll(
    members.map(({ leafIndex, leafNode }) => ({
      publicKey: leafNode.signatureKey,
      message: signContent(leafNodeLabel, leafNodeTbs(leafNode, { groupId, leafIndex })),
      signature: leafNode.signature,
    })),
  )
  if (!results.every((valid) => valid)) throw invalidSignature()
}
