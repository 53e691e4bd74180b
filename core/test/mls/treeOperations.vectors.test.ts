import { expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import { applyProposals } from '../../src/mls/public/applyProposals.ts'
import { sortProposals } from '../../src/mls/public/proposalRules.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import { type LeafIndex, Proposal, RatchetTree } from '../../src/wire/index.ts'
import { SenderType } from '../../src/wire/registry.ts'
import { describeVector } from '../vectors.ts'
import { implemented, suite } from './testCrypto.ts'

interface TreeOperationVector {
  cipher_suite: number
  tree_before: string
  proposal: string
  proposal_sender: number
  tree_hash_before: string
  tree_after: string
  tree_hash_after: string
}

describeVector<TreeOperationVector[]>('mls/tree-operations.json', (vectors) => {
  it.each(implemented(vectors))('applying a proposal gives the vector tree %#', (vector) => {
    const crypto = suite(vector.cipher_suite)
    const before = PublicTree.fromRatchetTree(decode(RatchetTree, fromHex(vector.tree_before)))
    expect(toHex(before.treeHash(crypto))).toBe(vector.tree_hash_before)

    const sender = {
      senderType: SenderType.member,
      leafIndex: vector.proposal_sender as LeafIndex,
    }
    const proposal = decode(Proposal, fromHex(vector.proposal))
    // Somebody else commits: nobody may commit its own Update.
    const committer = {
      senderType: SenderType.member,
      leafIndex: (vector.proposal_sender === 0 ? 1 : 0) as LeafIndex,
    }
    const list = sortProposals([{ proposal, sender }], committer, before)
    const { tree } = applyProposals(before, [], list)

    expect(toHex(encode(RatchetTree, tree.toRatchetTree()))).toBe(vector.tree_after)
    expect(toHex(tree.treeHash(crypto))).toBe(vector.tree_hash_after)
    expect(toHex(before.treeHash(crypto))).toBe(vector.tree_hash_before)
  })
})
