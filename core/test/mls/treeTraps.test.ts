import { describe, expect, it } from 'vitest'
import { emptyBytes } from '../../src/codec/bytes.ts'
import { Group } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import type { LeafIndex, ParentNode, RatchetTree } from '../../src/wire/index.ts'
import { NodeType } from '../../src/wire/registry.ts'
import { inventWelcome } from './inventedGroup.ts'
import { add, groupInfoIn, Party, remove, viewOf, welcomeIn } from './party.ts'
import { expectAlive, refusal } from './refusals.ts'

/*
 * Trees that mature MLS libraries have refused though they were right, or taken though they were
 * not. A parent's index in the array is that of its leftmost leaf doubled, plus half its width less
 * one.
 */

const names = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi']
const root = 7
const rightOfRoot = 11

async function populated(people: readonly string[] = names): Promise<Party> {
  const party = await Party.of(people, { policy: permissivePolicy, extensions: [] })
  for (const name of people) await party.commit(name)
  return party
}

/** Added without a path, so that the newcomers stay unmerged in every parent above them. */
async function addUnmerged(party: Party, by: string, people: readonly string[]): Promise<void> {
  const entering = await Promise.all(
    people.map(async (name) => {
      const person = await party.person(name)
      return { person, bundle: await party.keyPackage(person) }
    }),
  )
  const pending = await party.group(by).commit({
    proposals: entering.map(({ bundle }) => add(bundle.keyPackage)),
    path: 'if-required',
  })
  await party.settle(by, pending)
  const { ratchetTree } = party.group(by)
  for (const { person, bundle } of entering) {
    const group = await Group.join(party.environment, {
      welcome: welcomeIn(pending.welcome),
      bundle,
      ratchetTree: async () => ratchetTree,
    })
    party.participants.push({ person, group })
  }
}

/** Somebody new takes the tree as right, by Welcome and by an external commit. */
async function expectTreeTaken(party: Party, by: string): Promise<void> {
  await addUnmerged(party, by, [`added by ${by}`])
  const groupInfo = groupInfoIn(
    await party.group(by).groupInfo({ externalPub: true, ratchetTree: true }),
  )
  const person = await party.person(`let in by ${by}`)
  const pending = await Group.joinExternally(party.environment, { groupInfo, own: person.own })
  await party.deliver(pending.message)
  party.participants.push({ person, group: Group.enter(pending) })
  await expectAlive(party)
}

/** What a newcomer says to a group whose tree is the real one but for what is changed. */
async function joinInto(party: Party, change: (nodes: RatchetTree) => RatchetTree): Promise<Group> {
  const alice = party.group('alice')
  const bundle = await party.keyPackage(await party.person('newcomer'))
  const { tree } = alice.public.tree.withAddedLeaf(bundle.keyPackage.leafNode)
  const ratchetTree = change(tree.toRatchetTree())
  const welcome = await inventWelcome(party.suite, {
    signer: party.at('alice').person.own.signer,
    signerLeaf: alice.leafIndex,
    context: alice.groupContext,
    tree: PublicTree.fromRatchetTree(ratchetTree),
    newcomer: bundle.keyPackage,
  })
  return Group.join(party.environment, { welcome, bundle, ratchetTree: async () => ratchetTree })
}

function withUnmerged(
  index: number,
  leaves: readonly number[],
): (nodes: RatchetTree) => RatchetTree {
  const change = (parentNode: ParentNode): ParentNode => ({
    ...parentNode,
    unmergedLeaves: leaves as readonly LeafIndex[],
  })
  return (nodes) =>
    nodes.map((node, i) => {
      if (i !== index) return node
      if (node?.nodeType !== NodeType.parent) throw new Error(`node ${index} is blank`)
      return { ...node, parentNode: change(node.parentNode) }
    })
}

describe('unmerged leaves', () => {
  it('in different subtrees are right, also after more has happened', async () => {
    const party = await populated()
    await party.commit('alice', [remove(party.leaf('bob')), remove(party.leaf('frank'))])
    for (const name of ['alice', 'erin', 'grace', 'carol']) await party.commit(name)
    await addUnmerged(party, 'dave', ['judy', 'ken'])
    const [top] = party.group('alice').public.tree.parents()
    expect(top?.unmergedLeaves).toEqual([1, 5])
    await expectTreeTaken(party, 'heidi')

    // One of them is merged on one side only, and one is gone.
    await party.commit('judy', [remove(party.leaf('ken'))])
    await addUnmerged(party, 'alice', ['mia', 'noah'])
    await expectTreeTaken(party, 'erin')
    for (const { group } of party.participants)
      expect(viewOf(group)).toEqual(viewOf(party.group('alice')))
  })

  it('side by side under one parent are right, and kept in order', async () => {
    const party = await populated()
    const leaving = ['grace', 'heidi'].map((name) => remove(party.leaf(name)))
    await party.commit('frank', leaving)
    await party.commit('alice')
    await addUnmerged(party, 'alice', ['judy'])
    await addUnmerged(party, 'bob', ['ken'])
    const [top] = party.group('alice').public.tree.parents()
    expect(top?.unmergedLeaves).toEqual([6, 7])
    await expectTreeTaken(party, 'carol')
  })

  it.each<[string, number, readonly number[]]>([
    ['that are not sorted', root, [7, 5]],
    ['one of which stands twice', root, [5, 7, 7]],
    ['of which one is in the other subtree', rightOfRoot, [0, 5, 7]],
    ['that are all in the other subtree', rightOfRoot, [0, 1]],
    ['of which one is merged below and not above', rightOfRoot, [5]],
    ['that are merged below and not above', rightOfRoot, []],
  ])('%s are refused (valn1408, valn1409)', async (_, index, leaves) => {
    const party = await populated()
    await party.commit(
      'erin',
      ['frank', 'heidi'].map((name) => remove(party.leaf(name))),
    )
    await party.commit('alice')
    await addUnmerged(party, 'alice', ['judy'])
    await expect(joinInto(party, withUnmerged(index, leaves))).rejects.toEqual(
      refusal('tree-unmerged-leaf-invalid'),
    )
    const joined = await joinInto(party, (nodes) => nodes)
    expect(joined.public.tree.parents()[0]?.unmergedLeaves).toEqual([5, 7])
  })
})

describe('a chain of parent hashes', () => {
  it('goes through parents that are blank, from a leaf alone on its side', async () => {
    const party = await populated()
    await party.commit(
      'alice',
      ['bob', 'carol', 'dave'].map((name) => remove(party.leaf(name))),
    )
    await party.commit('alice')
    const { tree } = party.group('alice').public
    const above = (leaf: number) =>
      tree
        .parents()
        .filter(({ firstLeaf, level }) => firstLeaf <= leaf && leaf < firstLeaf + 2 ** level)
    expect(above(0).map(({ level }) => level)).toEqual([3])
    await expectTreeTaken(party, 'erin')
  })

  it('goes through a parent that was blanked since, to a subtree that was filled again', async () => {
    const party = await populated()
    await party.commit('alice', [remove(party.leaf('heidi'))])
    await addUnmerged(party, 'bob', ['judy'])
    await party.commit('carol')
    const { tree } = party.group('alice').public
    expect(tree.parents().some(({ firstLeaf, level }) => firstLeaf === 4 && level === 2)).toBe(
      false,
    )
    await expectTreeTaken(party, 'carol')
  })

  it('is broken where a blank parent that hid nothing is filled by nobody', async () => {
    const party = await populated()
    await party.commit('alice', [remove(party.leaf('heidi'))])
    const stray: ParentNode = {
      encryptionKey: new Uint8Array(32).fill(9),
      parentHash: emptyBytes,
      unmergedLeaves: [7 as LeafIndex],
    }
    const filled = joinInto(party, (nodes) =>
      nodes.map((node, i) =>
        i === rightOfRoot ? { nodeType: NodeType.parent, parentNode: stray } : node,
      ),
    )
    await expect(filled).rejects.toEqual(refusal('tree-parent-hash-invalid'))
  })
})
