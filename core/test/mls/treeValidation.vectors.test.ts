import { expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import { resolution, type Subtree } from '../../src/mls/treesync/subtree.ts'
import { validateTree } from '../../src/mls/treesync/treeValidation.ts'
import { RatchetTree } from '../../src/wire/index.ts'
import { describeVector } from '../vectors.ts'
import { implemented, suite } from './testCrypto.ts'

interface TreeValidationVector {
  cipher_suite: number
  tree: string
  group_id: string
  resolutions: number[][]
  tree_hashes: string[]
}

describeVector<TreeValidationVector[]>('mls/tree-validation.json', (vectors) => {
  it.each(implemented(vectors))('the tree of vector %# is valid, hash by hash', async (vector) => {
    const crypto = suite(vector.cipher_suite)
    const encoded = fromHex(vector.tree)
    const tree = PublicTree.fromRatchetTree(decode(RatchetTree, encoded))
    const seen = subtreesByIndex(tree)
    vector.tree_hashes.forEach((hash, index) => {
      expect(toHex((seen.get(index) as Subtree).treeHash(crypto))).toBe(hash)
    })
    vector.resolutions.forEach((expected, index) => {
      expect(resolution(seen.get(index) as Subtree).map(indexOf)).toEqual(expected)
    })
    await validateTree(crypto, tree, fromHex(vector.group_id), {
      cipherSuite: vector.cipher_suite,
      requiredCapabilities: undefined,
      groupExtensionTypes: [],
    })
    expect(encode(RatchetTree, tree.toRatchetTree())).toEqual(encoded)
    expect(tree.encoded()).toEqual(encoded)
  })
})

function indexOf(subtree: Subtree): number {
  return 2 * subtree.firstLeaf + 2 ** subtree.level - 1
}

function subtreesByIndex(tree: PublicTree): Map<number, Subtree> {
  const found = new Map<number, Subtree>()
  const visit = (subtree: Subtree) => {
    found.set(indexOf(subtree), subtree)
    if (subtree.kind === 'leaf') return
    visit(subtree.left)
    visit(subtree.right)
  }
  visit(tree.root)
  return found
}
