import { describe, expect, it } from 'vitest'
import { emptyBytes } from '../../src/codec/bytes.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import type { HpkeCiphertext, UpdatePath, UpdatePathNode } from '../../src/wire/index.ts'
import { byValue, epochOf, forgeCommit, forgeNewcomer, touched } from './malformed.ts'
import { add, Party } from './party.ts'
import { expectCommitRefused, expectRejected, rejectionOf } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'dave', 'mallory']

function mallorys(party: Party) {
  return epochOf(party.group('mallory'))
}

/** Replaces the first node of a path, the lowest one. */
function lowest(change: (node: UpdatePathNode) => UpdatePathNode) {
  return ({ leafNode, nodes: [first, ...others] }: UpdatePath): UpdatePath => {
    if (first === undefined) throw new Error('the path is empty')
    return { leafNode, nodes: [change(first), ...others] }
  }
}

describe('a path', () => {
  const longer = (path: UpdatePath): UpdatePath => ({
    ...path,
    nodes: [...path.nodes, ...path.nodes.slice(0, 1)],
  })
  const shorter = (path: UpdatePath): UpdatePath => ({ ...path, nodes: path.nodes.slice(1) })

  it.each([
    ['a node too many', longer],
    ['a node too few', shorter],
    ['no nodes', (path: UpdatePath) => ({ ...path, nodes: [] })],
  ])('with %s is refused', async (_, path) => {
    const party = await Party.of(names)
    const forged = await forgeCommit(await mallorys(party), { path })
    await expectCommitRefused(party, 'mallory', forged, 'commit-path-length-wrong')
  })

  const recount = (change: (sealed: readonly HpkeCiphertext[]) => readonly HpkeCiphertext[]) =>
    lowest((node) => ({ ...node, encryptedPathSecret: change(node.encryptedPathSecret) }))

  it.each([
    ['one secret too many', recount((sealed) => [...sealed, ...sealed.slice(0, 1)])],
    ['one secret too few', recount((sealed) => sealed.slice(1))],
    ['no secrets', recount(() => [])],
  ])('with %s for its resolution is refused (valn1101)', async (_, path) => {
    const party = await Party.of(names)
    const forged = await forgeCommit(await epochOf(party.group('bob')), { path })
    await expectCommitRefused(party, 'bob', forged, 'commit-path-ciphertext-count-wrong')
  })

  it('that seals to who is added by the same commit is refused (valn1101)', async () => {
    const party = await Party.of(names)
    // The newcomer's leaf is beside mallory's.
    const forged = await forgeCommit(await mallorys(party), {
      proposals: [byValue(add(await forgeNewcomer(party, {})))],
      path: recount((sealed) => [
        ...sealed,
        { kemOutput: new Uint8Array(32), ciphertext: new Uint8Array(48) },
      ]),
    })
    await expectCommitRefused(party, 'mallory', forged, 'commit-path-ciphertext-count-wrong')
  })

  it("that keeps the committer's leaf key is refused (valn1208)", async () => {
    const party = await Party.of(names)
    const epoch = await mallorys(party)
    const { encryptionKey = emptyBytes } = epoch.public.tree.leafNode(epoch.leafIndex) ?? {}
    const forged = await forgeCommit(epoch, { leaf: (leaf) => ({ ...leaf, encryptionKey }) })
    await expectCommitRefused(party, 'mallory', forged, 'commit-path-key-unchanged')
  })

  it('with a key that stands in another node is refused (valn1209)', async () => {
    const party = await Party.of(names)
    await party.commit('carol')
    const { tree } = party.group('alice').public
    const keys = [tree.members()[0]?.leafNode.encryptionKey, tree.parents().at(-1)?.encryptionKey]
    for (const encryptionKey of keys) {
      if (encryptionKey === undefined) throw new Error('the tree is populated')
      const asLeaf = await forgeCommit(await mallorys(party), {
        leaf: (leaf) => ({ ...leaf, encryptionKey }),
      })
      await expectCommitRefused(party, 'mallory', asLeaf, 'commit-path-key-duplicate')
    }
    const [first] = party.group('alice').members
    const asNode = await forgeCommit(await mallorys(party), {
      path: lowest((node) => ({
        ...node,
        encryptionKey: first?.leafNode.encryptionKey ?? emptyBytes,
      })),
    })
    await expectCommitRefused(party, 'mallory', asNode, 'commit-path-key-duplicate')
  })

  it('with the same key twice is refused (valn1209)', async () => {
    const party = await Party.of(names)
    const twice = await forgeCommit(await epochOf(party.group('bob')), {
      path: ({ leafNode, nodes }) => ({
        leafNode,
        nodes: nodes.map((node) => ({
          ...node,
          encryptionKey: nodes[0]?.encryptionKey ?? emptyBytes,
        })),
      }),
    })
    await expectCommitRefused(party, 'bob', twice, 'commit-path-key-duplicate')
    const leafAndNode = await forgeCommit(await epochOf(party.group('bob')), {
      path: (path) =>
        lowest((node) => ({ ...node, encryptionKey: path.leafNode.encryptionKey }))(path),
    })
    await expectCommitRefused(party, 'bob', leafAndNode, 'commit-path-key-duplicate')
  })

  it('whose leaf has another parent hash is refused (valn1207)', async () => {
    const party = await Party.of(names)
    for (const change of [touched, () => emptyBytes]) {
      const forged = await forgeCommit(await mallorys(party), {
        leaf: (leaf) =>
          'parentHash' in leaf ? { ...leaf, parentHash: change(leaf.parentHash) } : leaf,
      })
      await expectCommitRefused(party, 'mallory', forged, 'commit-path-parent-hash-wrong')
    }
  })

  it('whose keys are not those of its secrets is refused', async () => {
    const party = await Party.of(names)
    const { message } = await forgeCommit(await mallorys(party), {
      pathSecret: () => new Secret(new Uint8Array(32).fill(7)),
    })
    await expectRejected(party, 'mallory', message, 'commit-path-key-mismatch')
  })

  it('sealed under another context is refused', async () => {
    const party = await Party.of(names)
    const { message } = await forgeCommit(await mallorys(party), {
      provisional: (context) => ({ ...context, extensions: [] }),
    })
    await expectRejected(party, 'mallory', message, 'commit-path-undecryptable')
  })

  it.each<[string, (sealed: HpkeCiphertext) => HpkeCiphertext]>([
    ['another ciphertext', (sealed) => ({ ...sealed, ciphertext: touched(sealed.ciphertext) })],
    ['an empty ciphertext', (sealed) => ({ ...sealed, ciphertext: emptyBytes })],
    ['a point of small order', (sealed) => ({ ...sealed, kemOutput: new Uint8Array(32) })],
    ['a point that is too short', (sealed) => ({ ...sealed, kemOutput: new Uint8Array(31) })],
    ['no point', (sealed) => ({ ...sealed, kemOutput: emptyBytes })],
  ])('with %s instead of a secret is refused', async (_, change) => {
    const party = await Party.of(names)
    const { message } = await forgeCommit(await mallorys(party), {
      path: ({ leafNode, nodes }) => ({
        leafNode,
        nodes: nodes.map((node) => ({
          ...node,
          encryptedPathSecret: node.encryptedPathSecret.map(change),
        })),
      }),
    })
    await expectRejected(party, 'mallory', message, 'commit-path-undecryptable')
  })

  it('sealed wrongly to one of us is refused there, and changes nothing there', async () => {
    const party = await Party.of(names)
    const forged = await forgeCommit(await epochOf(party.group('bob')), {
      path: recount((sealed) =>
        sealed.map((one) => ({ ...one, ciphertext: touched(one.ciphertext) })),
      ),
    })
    // alice's leaf is beside bob's: only she needs the lowest secret.
    expect(await rejectionOf(party.group('alice'), forged.message)).toBe(
      'commit-path-undecryptable',
    )
    await party.deliver(forged.message, party.others('alice', 'bob'))
    expect(party.group('alice').epochAuthenticator).toHaveLength(32)
  })
})
