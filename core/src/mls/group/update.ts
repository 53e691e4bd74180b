import type { LeafNode } from '../../wire/ratchetTree.ts'
import { LeafNodeSource } from '../../wire/registry.ts'
import {
  generateKeyPair,
  leafContent,
  type OwnLeaf,
  signLeafNode,
} from '../bootstrap/keyPackageBundle.ts'
import { ownLeaf } from './commit.ts'
import type { Epoch, OwnUpdate } from './epoch.ts'

/** RFC 9420 §12.1.2: a new encryption key for our leaf, and what else `leaf` changes. */
export async function makeUpdate(
  epoch: Epoch,
  leaf: OwnLeaf = ownLeaf(epoch),
): Promise<{ update: OwnUpdate; leafNode: LeafNode }> {
  const { crypto, leafIndex, public: group } = epoch
  const { groupId } = group.groupContext
  const { signer } = leaf
  const key = await generateKeyPair(crypto)
  const leafNode = await signLeafNode(
    signer,
    { ...leafContent(leaf, key.publicKey), leafNodeSource: LeafNodeSource.update },
    { groupId, leafIndex },
  )
  return { update: { key, signer }, leafNode }
}
