import { describe, expect, it } from 'vitest'
import { type Bytes, emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { foundingExtensions, meetingPolicy } from '../../src/meeting/index.ts'
import { signGroupInfo } from '../../src/mls/bootstrap/groupInfo.ts'
import { Group } from '../../src/mls/group/index.ts'
import { PublicGroup, permissivePolicy } from '../../src/mls/public/index.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import type { LeafIndex, Node, ParentNode, RatchetTree } from '../../src/wire/index.ts'
import { NodeType } from '../../src/wire/registry.ts'
import {
  expectJoinRefused,
  type InventedGroup,
  invented,
  joins,
  type Scene,
  scene,
} from './inventedGroup.ts'
import { touched } from './malformed.ts'
import { type RefusalCode, refusal } from './refusals.ts'

describe('a tree', () => {
  /** The same group with other nodes in its tree, whose hash and signatures are made to fit. */
  async function expectTreeRefused(
    of: Scene,
    nodes: RatchetTree,
    code: RefusalCode,
    change: Partial<InventedGroup> = {},
  ): Promise<void> {
    const tree = PublicTree.fromRatchetTree(nodes)
    await expectJoinRefused(of, await invented(of, { tree, ...change }), code, nodes)
  }

  /** The index in the array of the parent at `level` above `leaf`. */
  const parentAt = (level: number, leaf: number) =>
    ((leaf >> level) << (level + 1)) + 2 ** level - 1

  function withParent(
    nodes: RatchetTree,
    index: number,
    change: (parent: ParentNode) => ParentNode,
  ): RatchetTree {
    return nodes.map((node, i) => {
      if (i !== index) return node
      if (node?.nodeType !== NodeType.parent) throw new Error(`node ${index} is blank`)
      return { nodeType: NodeType.parent, parentNode: change(node.parentNode) }
    })
  }

  const root = 7

  it('whose hash is another is refused (valn1405)', async () => {
    const of = await scene()
    const { ratchetTree } = of.party.group('dave')
    const nodes = ratchetTree.slice(0, -2)
    const welcome = await invented(of)
    await expect(joins(of, welcome, nodes)).rejects.toEqual(refusal('tree-hash-mismatch'))
    await expectJoinRefused(of, welcome, 'tree-hash-mismatch', [...ratchetTree.slice(0, 1)])
  })

  it.each<[string, (nodes: RatchetTree) => RatchetTree]>([
    ['is empty', () => []],
    ['ends with a blank node', (nodes) => [...nodes, undefined]],
    ['is blank', () => [undefined]],
    ['has a parent in the place of a leaf', (nodes) => [nodes[root], ...nodes.slice(1)]],
    [
      'has a leaf in the place of a parent',
      (nodes) => [...nodes.slice(0, 1), nodes[0], ...nodes.slice(2)],
    ],
  ])('that %s is refused', async (_, change) => {
    const of = await scene()
    const welcome = await invented(of)
    await expectJoinRefused(of, welcome, 'tree-malformed', change(of.alice.ratchetTree))
  })

  it('with a key that no member has put there is refused (valn1406)', async () => {
    const of = await scene()
    const { publicKey } = await of.party.suite.deriveKeyPair(new Secret(new Uint8Array(32)))
    for (const index of [root, parentAt(2, 4), parentAt(2, 0)]) {
      const nodes = withParent(of.alice.ratchetTree, index, (parent) => ({
        ...parent,
        encryptionKey: publicKey,
      }))
      const tree = PublicTree.fromRatchetTree(nodes)
      await expect(joins(of, await invented(of, { tree }), nodes)).rejects.toEqual(
        refusal('tree-parent-hash-invalid'),
      )
    }
  })

  it('with another parent hash is refused (valn1406)', async () => {
    const of = await scene()
    const nodes = withParent(of.alice.ratchetTree, parentAt(2, 4), (parent) => ({
      ...parent,
      parentHash: new Uint8Array(32),
    }))
    await expectTreeRefused(of, nodes, 'tree-parent-hash-invalid')
  })

  it('from which a member was taken out is refused (valn1406)', async () => {
    const of = await scene()
    const nodes: readonly (Node | undefined)[] = of.alice.ratchetTree.map((node, i) =>
      i === 8 ? undefined : node,
    )
    await expectTreeRefused(of, nodes, 'tree-parent-hash-invalid')
  })

  it('with a leaf that is not valid is refused (valn1407)', async () => {
    const of = await scene()
    const withLeaf = (change: (signature: Bytes) => Bytes): RatchetTree =>
      of.alice.ratchetTree.map((node, i) =>
        i === 0 && node?.nodeType === NodeType.leaf
          ? { ...node, leafNode: { ...node.leafNode, signature: change(node.leafNode.signature) } }
          : node,
      )
    await expectTreeRefused(of, withLeaf(touched), 'leaf-signature-invalid')
  })

  it('with a leaf that the policy refuses is refused (valn1407)', async () => {
    // Everybody but the newcomer takes part in another meeting.
    const of = await scene({ policy: permissivePolicy })
    const { externalSender } = of.party
    const extensions = foundingExtensions('standup', { policy: 'open' }, externalSender)
    const context = { ...of.alice.groupContext, extensions }
    const wrong = meetingPolicy({ meetingId: 'retro', trust: { policy: 'open' } })
    const renamed = foundingExtensions('retro', { policy: 'open' }, externalSender)
    const welcome = await invented(of, { context: { ...context, extensions: renamed } })
    const joining = Group.join(
      { ...of.party.environment, policy: wrong },
      { welcome, bundle: of.bundle, ratchetTree: async () => of.alice.ratchetTree },
    )
    await expect(joining).rejects.toEqual(refusal('member-extension-invalid'))
  })

  it.each<[string, readonly number[]]>([
    ['of nobody', [1]],
    ['beyond the tree', [8]],
    ['far beyond every tree', [0x80000007]],
    ['twice', [7, 7]],
  ])('with an unmerged leaf %s is refused (valn1408)', async (_, leaves) => {
    const of = await scene()
    const nodes = withParent(of.alice.ratchetTree, root, (parent) => ({
      ...parent,
      unmergedLeaves: leaves as readonly LeafIndex[],
    }))
    await expectTreeRefused(of, nodes, 'tree-unmerged-leaf-invalid')
  })

  it('with a leaf that is merged below and not above is refused (valn1409)', async () => {
    const of = await scene()
    const nodes = withParent(of.alice.ratchetTree, root, (parent) => ({
      ...parent,
      unmergedLeaves: [4 as LeafIndex],
    }))
    await expectTreeRefused(of, nodes, 'tree-unmerged-leaf-invalid')
  })

  it('with the same key in two nodes is refused (valn1410)', async () => {
    const of = await scene()
    const { ratchetTree } = of.alice
    const [first] = of.alice.members
    const other = ratchetTree[parentAt(2, 4)]
    const keys = [
      first?.leafNode.encryptionKey,
      other?.nodeType === NodeType.parent ? other.parentNode.encryptionKey : undefined,
    ]
    for (const key of keys) {
      if (key === undefined) throw new Error('the tree is populated')
      const nodes = withParent(ratchetTree, root, (parent) => ({ ...parent, encryptionKey: key }))
      const tree = PublicTree.fromRatchetTree(nodes)
      await expect(joins(of, await invented(of, { tree }), nodes)).rejects.toEqual(
        refusal('tree-key-duplicate'),
      )
    }
  })

  it('with a key that nothing can be sealed to is refused', async () => {
    const of = await scene()
    for (const encryptionKey of [emptyBytes, new Uint8Array(32), new Uint8Array(33).fill(9)]) {
      const nodes = withParent(of.alice.ratchetTree, root, (parent) => ({
        ...parent,
        encryptionKey,
      }))
      const tree = PublicTree.fromRatchetTree(nodes)
      await expect(joins(of, await invented(of, { tree }), nodes)).rejects.toEqual(
        refusal('tree-key-invalid'),
      )
    }
  })

  it('with more leaves than a meeting has is refused before it is hashed', async () => {
    const of = await scene()
    const [leaf] = of.alice.ratchetTree
    const wide: (Node | undefined)[] = new Array(2 ** 19).fill(undefined)
    wide.push(leaf)
    await expectJoinRefused(of, await invented(of), 'meeting-full', wide)
  })

  it('is refused alike by who only follows the group', async () => {
    const of = await scene()
    const nodes = withParent(of.alice.ratchetTree, parentAt(2, 4), (parent) => ({
      ...parent,
      parentHash: utf8('?'),
    }))
    const treeHash = PublicTree.fromRatchetTree(nodes).treeHash(of.party.suite)
    const groupInfo = await signGroupInfo(of.party.at('alice').person.own.signer, {
      groupContext: { ...of.alice.groupContext, treeHash },
      extensions: [],
      confirmationTag: emptyBytes,
      signer: of.alice.leafIndex,
    })
    await expect(PublicGroup.open(of.party.environment, groupInfo, nodes)).rejects.toEqual(
      refusal('tree-parent-hash-invalid'),
    )
  })
})
