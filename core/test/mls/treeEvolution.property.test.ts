import fc from 'fast-check'
import { expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import {
  type LeafIndex,
  type LeafNode,
  type ParentNode,
  RatchetTree,
} from '../../src/wire/index.ts'
import { CredentialType, NodeType } from '../../src/wire/registry.ts'
import { suite } from './testCrypto.ts'
import { bytesOf, leafNodeOf, TreeModel } from './treeModel.ts'

const crypto = suite()

/** So few that some occur twice. */
const key = fc.integer({ min: 0, max: 400 }).map((n) => bytesOf(n.toString(16).padStart(8, '0')))
const types = fc.constantFrom([], [1], [1, 2], [2, 1], [3])
const leafNode: fc.Arbitrary<LeafNode> = fc
  .record({
    encryptionKey: key,
    signatureKey: key,
    extensions: types,
    proposals: types,
    credentials: types,
    credentialType: fc.constantFrom(CredentialType.basic, CredentialType.x509),
    committed: fc.boolean(),
  })
  .map(leafNodeOf)

const step = fc.record({
  kind: fc.constantFrom('add', 'add', 'add', 'update', 'remove', 'path', 'path'),
  nth: fc.nat(),
  leafNode,
  pathKeys: fc.array(key, { minLength: 8, maxLength: 8 }),
})

type Change = typeof step extends fc.Arbitrary<infer T> ? T : never

const evolution = fc.tuple(leafNode, fc.array(step, { size: 'max', maxLength: 80 }))

/** What a tree must answer, worked out from all of its nodes. */
function expectedAnswers(nodes: RatchetTree) {
  const leaves = nodes.flatMap((node) => (node?.nodeType === NodeType.leaf ? [node.leafNode] : []))
  const parents = nodes.flatMap((node) =>
    node?.nodeType === NodeType.parent ? [node.parentNode] : [],
  )
  const leafKeys = leaves.map(({ encryptionKey }) => toHex(encryptionKey))
  const allKeys = [...leafKeys, ...parents.map(({ encryptionKey }) => toHex(encryptionKey))]
  const signatureKeys = leaves.map(({ signatureKey }) => toHex(signatureKey))
  const inAll = (kind: 'extensions' | 'proposals' | 'credentials') =>
    [1, 2, 3].filter((type) =>
      leaves.every(({ capabilities }) => capabilities[kind].includes(type)),
    )
  return {
    leafKeyTwice: new Set(leafKeys).size < leafKeys.length,
    encryptionKeyTwice: new Set(allKeys).size < allKeys.length,
    signatureKeyTwice: new Set(signatureKeys).size < signatureKeys.length,
    encryptionKeys: new Set(allKeys),
    extensions: inAll('extensions'),
    proposals: inAll('proposals'),
    credentials: inAll('credentials'),
    inUse: [...new Set(leaves.map(({ credential }) => credential.credentialType))].sort(),
  }
}

function answers(tree: PublicTree, possibleKeys: readonly ReturnType<typeof bytesOf>[]) {
  const { keys, capabilities } = tree
  return {
    leafKeyTwice: keys.hasLeafKeyTwice,
    encryptionKeyTwice: keys.hasEncryptionKeyTwice,
    signatureKeyTwice: keys.hasSignatureKeyTwice,
    encryptionKeys: new Set(
      possibleKeys.filter((possible) => keys.hasEncryptionKey(possible)).map(toHex),
    ),
    extensions: [...(capabilities?.extensions ?? [])].sort(),
    proposals: [...(capabilities?.proposals ?? [])].sort(),
    credentials: [...(capabilities?.credentials ?? [])].sort(),
    inUse: [...(capabilities?.credentialsInUse ?? [])].sort(),
  }
}

const possibleKeys = Array.from({ length: 401 }, (_, n) => bytesOf(n.toString(16).padStart(8, '0')))

function applied(tree: PublicTree, model: TreeModel, change: Change): PublicTree {
  const { members } = model
  const at = members[change.nth % members.length] as LeafIndex
  switch (change.kind) {
    case 'add': {
      model.add(change.leafNode)
      return tree.withAddedLeaf(change.leafNode).tree
    }
    case 'update':
      model.update(at, change.leafNode)
      return tree.withUpdatedLeaf(at, change.leafNode)
    case 'remove':
      if (members.length === 1) return tree
      model.remove(at)
      return tree.withoutLeaf(at)
    default: {
      const steps = tree.filteredDirectPath(at)
      const keyOf = (i: number) => change.pathKeys[i] as ReturnType<typeof bytesOf>
      const parentNodes = steps.map(
        (_, i): ParentNode => ({
          encryptionKey: keyOf(i),
          parentHash: keyOf(i),
          unmergedLeaves: [],
        }),
      )
      model.path(at, change.leafNode, keyOf)
      return tree.withPath(at, change.leafNode, steps, parentNodes)
    }
  }
}

it('a tree that has changed step by step is the one that its nodes make, and so are its answers', () => {
  const seen = { doubled: 0, halved: 0, unmerged: 0, twice: 0 }
  fc.assert(
    fc.property(evolution, ([founder, changes]) => {
      const model = new TreeModel(founder)
      let tree = PublicTree.ofFounder(founder)
      for (const change of changes) {
        // Asked in every epoch, so that each tree's answers come from those of the tree before.
        tree.treeHash(crypto)
        tree.keys.hasEncryptionKeyTwice
        const { leafCount } = tree
        const before = tree.leaves()
        tree = applied(tree, model, change)
        const changed = tree.leaves().filter((leaf) => !before.includes(leaf))
        expect(changed.length).toBeLessThanOrEqual(1)
        if (tree.leafCount > leafCount) seen.doubled++
        if (tree.leafCount < leafCount) seen.halved++
      }
      const nodes = model.ratchetTree
      expect(tree.toRatchetTree()).toEqual(nodes)
      expect(tree.encoded()).toEqual(encode(RatchetTree, nodes))
      const whole = PublicTree.fromRatchetTree(nodes)
      for (const { firstLeaf, leafNodeSource, leafNode } of [...tree.leaves(), ...whole.leaves()]) {
        expect(leafNode).toEqual(tree.leafNode(firstLeaf))
        expect(leafNodeSource).toBe(leafNode?.leafNodeSource)
      }
      expect(tree.members().map(({ leafIndex }) => leafIndex)).toEqual(model.members)
      expect(toHex(tree.treeHash(crypto))).toBe(toHex(whole.treeHash(crypto)))
      const expected = expectedAnswers(nodes)
      expect(answers(tree, possibleKeys)).toEqual(expected)
      expect(answers(whole, possibleKeys)).toEqual(expected)
      for (const { leafIndex, leafNode } of tree.members()) {
        const found = tree.keys.memberWithSignatureKey(leafNode.signatureKey) as LeafIndex
        expect(tree.leafNode(found)?.signatureKey).toEqual(leafNode.signatureKey)
        if (!expected.signatureKeyTwice) expect(found).toBe(leafIndex)
      }
      if (expected.encryptionKeyTwice) seen.twice++
      if (tree.parents().some(({ unmergedLeaves }) => unmergedLeaves.length > 0)) seen.unmerged++
    }),
    { numRuns: 150 },
  )
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(10)
})

it('the tree hash after a change hashes nothing but the changed path and what stands beside it', () => {
  const leaf = (n: number) =>
    leafNodeOf({
      encryptionKey: bytesOf(n.toString(16).padStart(8, '0')),
      signatureKey: bytesOf(n.toString(16).padStart(8, '0')),
      extensions: [],
      proposals: [],
      credentials: [],
      credentialType: CredentialType.basic,
      committed: true,
    })
  let tree = PublicTree.ofFounder(leaf(0))
  for (let n = 1; n < 512; n++) tree = tree.withAddedLeaf(leaf(n)).tree
  let hashed = 0
  const counting = {
    ...crypto,
    hash: (data: Uint8Array) => {
      hashed++
      return crypto.hash(data)
    },
  }
  tree.treeHash(counting)
  expect(hashed).toBe(2 * 512 - 1)
  hashed = 0
  tree.withUpdatedLeaf(200 as LeafIndex, leaf(600)).treeHash(counting)
  // Two leaves, since leaves do not remember their hash, and nine levels of parents.
  expect(hashed).toBe(2 + 9)
})
