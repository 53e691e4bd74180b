import { expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { decode } from '../../src/codec/tls.ts'
import { type HpkeKeyPair, Secret, type SecretSuite } from '../../src/crypto/secret/index.ts'
import { signLeafNode } from '../../src/mls/bootstrap/keyPackageBundle.ts'
import { mergePath } from '../../src/mls/public/publicPath.ts'
import { derivePath } from '../../src/mls/treekem/pathSecrets.ts'
import { PrivateTree } from '../../src/mls/treekem/privateTree.ts'
import { createPath, openPath } from '../../src/mls/treekem/updatePath.ts'
import { level, type NodeIndex } from '../../src/mls/treeMath.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import {
  type GroupContext,
  type LeafIndex,
  type LeafNode,
  RatchetTree,
  UpdatePath,
} from '../../src/wire/index.ts'
import { LeafNodeSource, ProtocolVersion } from '../../src/wire/registry.ts'
import { describeVector } from '../vectors.ts'
import { implemented, suite } from './testCrypto.ts'

interface TreeKemVector {
  cipher_suite: number
  group_id: string
  epoch: number
  confirmed_transcript_hash: string
  ratchet_tree: string
  leaves_private: {
    index: number
    encryption_priv: string
    signature_priv: string
    path_secrets: { node: number; path_secret: string }[]
  }[]
  update_paths: {
    sender: number
    update_path: string
    path_secrets: (string | null)[]
    commit_secret: string
    tree_hash_after: string
  }[]
}

describeVector<TreeKemVector[]>('mls/treekem.json', (vectors) => {
  it.each(implemented(vectors))('members of tree %# follow every path', async (vector) => {
    const crypto = suite(vector.cipher_suite)
    const tree = PublicTree.fromRatchetTree(decode(RatchetTree, fromHex(vector.ratchet_tree)))
    const groupId = fromHex(vector.group_id)
    const contextOf = (after: PublicTree): GroupContext => ({
      version: ProtocolVersion.mls10,
      cipherSuite: vector.cipher_suite,
      groupId,
      epoch: BigInt(vector.epoch),
      treeHash: after.treeHash(crypto),
      confirmedTranscriptHash: fromHex(vector.confirmed_transcript_hash),
      extensions: [],
    })
    const states = new Map<number, PrivateTree>()
    for (const leaf of vector.leaves_private) {
      states.set(leaf.index, await privateState(crypto, tree, leaf))
    }

    for (const { sender, update_path, commit_secret, tree_hash_after } of vector.update_paths) {
      const committer = sender as LeafIndex
      const path = decode(UpdatePath, fromHex(update_path))
      const after = mergePath(crypto, tree, committer, path, [])
      expect(toHex(after.treeHash(crypto))).toBe(tree_hash_after)
      const received = { tree, committer, path, added: [], provisionalContext: contextOf(after) }
      for (const [index, state] of states) {
        if (index === sender) continue
        const { commitSecret } = await openPath(crypto, state, received)
        expect(toHex(commitSecret.expose())).toBe(commit_secret)
      }
    }

    // And a path of our own making, from the first leaf.
    const own = vector.leaves_private[0]
    if (own === undefined) throw new Error('a vector has at least one leaf')
    const leafIndex = own.index as LeafIndex
    const signer = await crypto.importSigner(new Secret(fromHex(own.signature_priv)))
    const created = await createPath(crypto, {
      tree,
      leafIndex,
      added: [],
      contextOf,
      makeLeaf: (encryptionKey, parentHash) =>
        signLeafNode(
          signer,
          {
            ...(tree.leafNode(leafIndex) as LeafNode),
            encryptionKey,
            leafNodeSource: LeafNodeSource.commit,
            parentHash,
          },
          { groupId, leafIndex },
        ),
    })
    const merged = mergePath(crypto, tree, leafIndex, created.path, [])
    expect(merged.treeHash(crypto)).toEqual(created.tree.treeHash(crypto))
    for (const [index, state] of states) {
      if (index === leafIndex) continue
      const { commitSecret } = await openPath(crypto, state, {
        tree,
        committer: leafIndex,
        path: created.path,
        added: [],
        provisionalContext: contextOf(merged),
      })
      expect(commitSecret.equals(created.commitSecret)).toBe(true)
    }
  })
})

async function privateState(
  crypto: SecretSuite,
  tree: PublicTree,
  leaf: TreeKemVector['leaves_private'][number],
): Promise<PrivateTree> {
  const leafIndex = leaf.index as LeafIndex
  const publicKey = (tree.leafNode(leafIndex) as LeafNode).encryptionKey
  const keys = new Map<number, HpkeKeyPair>([
    [0, { publicKey, privateKey: new Secret(fromHex(leaf.encryption_priv)) }],
  ])
  for (const { node, path_secret } of leaf.path_secrets) {
    const derived = await derivePath(crypto, new Secret(fromHex(path_secret)), 1)
    keys.set(level(node as NodeIndex), derived.keys[0] as HpkeKeyPair)
  }
  const state = new PrivateTree(leafIndex, keys)
  const consistent = state.updatedTo(tree, new Map())
  const parents = tree.parents().filter((parent) => keys.has(parent.level))
  for (const parent of parents) expect(consistent.keyOf(parent)).toBe(state.keyOf(parent))
  return state
}
