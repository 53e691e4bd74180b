import { describe, expect, it } from 'vitest'
import { type Bytes, concatBytes, emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { decode, encode, opaque } from '../../src/codec/tls.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import type { Epoch } from '../../src/mls/group/epoch.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import {
  type Extension,
  type FramedContent,
  KeyPackage,
  type LeafIndex,
  type LeafNode,
  type LeafNodeContent,
  MlsMessage,
  RatchetTree,
} from '../../src/wire/index.ts'
import {
  ContentType,
  ExtensionType,
  NodeType,
  ProposalType,
  SenderType,
  WireFormat,
} from '../../src/wire/registry.ts'
import { inventWelcome } from '../mls/inventedGroup.ts'
import {
  byValue,
  type CommitPlan,
  contentOf,
  forgeCommit,
  forgeKeyPackage,
  forgeUpdate,
  frame,
  frameProposal,
} from '../mls/malformed.ts'
import { adding, committing, MixedGroup, verdict } from './mixedGroup.ts'

/*
 * What RFC 9420 forbids and ts-mls 1.6.4 accepts. Each message is forged by a member, mallory, with
 * its real keys, so that nothing else is wrong with it. This library refuses it.
 *
 * One thing more is not here, since it takes half a minute: for an unmerged leaf beyond the tree
 * ts-mls goes on collecting ancestors until no array can hold them.
 */

async function forged(group: MixedGroup, plan: CommitPlan): Promise<Bytes> {
  return (await forgeCommit(await group.epoch(), plan)).message
}

async function expectOnlyTsMlsAccepts(
  { alice, bob }: MixedGroup,
  message: Bytes,
  code: string,
  kind: 'commit' | 'proposal' = 'commit',
): Promise<void> {
  expect(await verdict(alice, message)).toBe(code)
  expect(await verdict(bob, message)).toBe(kind)
}

/** The Add of somebody whose leaf says something else. */
async function addOf(group: MixedGroup, leaf: (leaf: LeafNodeContent) => LeafNodeContent) {
  const { person, keyPackage } = await group.newcomer()
  const signer = await group.conclave.suite.importSigner(new Secret(person.signatureKey.slice()))
  const changed = await forgeKeyPackage(signer, decode(KeyPackage, keyPackage), { leaf })
  return byValue({ proposalType: ProposalType.add, keyPackage: changed })
}

function contextOf(...extensions: readonly Extension[]) {
  return byValue({ proposalType: ProposalType.groupContextExtensions, extensions })
}

const requireNothing: Extension = {
  extensionType: ExtensionType.requiredCapabilities,
  extensionData: new Uint8Array(3),
}
const withoutPath = { path: () => undefined }

function leafOf({ alice }: MixedGroup, index: number): LeafNode {
  const member = alice.group.members.find(({ leafIndex }) => leafIndex === index)
  if (member === undefined) throw new Error(`nobody is at leaf ${index}`)
  return member.leafNode
}

it('a commit that was forged without any fault both libraries accept, so that each fault counts', async () => {
  const group = await MixedGroup.of()
  const proposals = [await addOf(group, (leaf) => leaf), contextOf(requireNothing)]
  const message = await forged(group, { proposals })
  expect(await verdict(group.alice, message)).toBe('commit')
  expect(await verdict(group.bob, message)).toBe('commit')
})

describe('ts-mls accepts an encoding', () => {
  it('with a length in more bytes than it takes (§2.1.2)', async () => {
    const group = await MixedGroup.of()
    const message = await forged(group, {})
    // After version and wire format stands the length of the group id.
    const [length = 0] = message.slice(4)
    const longer = concatBytes(message.slice(0, 4), Uint8Array.of(0x40, length), message.slice(5))
    await expectOnlyTsMlsAccepts(group, longer, 'codec-bad-length')
  })

  it('of a value that is neither present nor absent (§2.1.1)', async () => {
    const { conclave, tsMls, mallory, ...group } = await grown()
    const node = (value: (typeof nodes)[number]) =>
      value === undefined ? Uint8Array.of(2) : decode(opaque(), encode(RatchetTree, [value]))
    const nodes = mallory.group.ratchetTree
    expect(nodes).toContain(undefined)
    const tree = encode(opaque(), concatBytes(...nodes.map(node)))
    const { newcomer, welcome } = group
    expect((await tsMls.join(welcome, newcomer, tree)).leafIndex).toBe(6)
    await expect(conclave.join(welcome, newcomer, tree)).rejects.toMatchObject({
      code: 'codec-unknown-case',
    })
  })
})

describe('ts-mls accepts a GroupInfo', () => {
  it('with bytes after the tree in its extension (§12.4.3.3)', async () => {
    const { conclave, tsMls, mallory, newcomer, ...group } = await grown()
    const extensionData = concatBytes(mallory.ratchetTree(), utf8('more'))
    const extension = { extensionType: ExtensionType.ratchetTree, extensionData }
    const welcome = await inventWelcome(conclave.suite, {
      ...(await inventing(group.epoch)),
      newcomer: decode(KeyPackage, newcomer.keyPackage),
      groupInfo: (content) => ({ ...content, extensions: [extension] }),
    })
    const message = encode(MlsMessage, { version: 1, wireFormat: WireFormat.welcome, welcome })
    expect((await tsMls.join(message, newcomer, undefined)).leafIndex).toBe(6)
    await expect(conclave.join(message, newcomer, undefined)).rejects.toMatchObject({
      code: 'extension-malformed',
    })
  })
})

describe('ts-mls accepts a proposal', () => {
  const outside = { senderType: SenderType.newMemberProposal } as const

  it.each<[string, Partial<FramedContent>, string]>([
    ['of another group', { groupId: utf8('another') }, 'message-group-mismatch'],
    ['of an epoch to come', { epoch: 99n }, 'message-epoch-future'],
  ])('by somebody outside that is %s, and commits it (§6)', async (_, header, code) => {
    const group = await MixedGroup.of()
    const epoch = await group.epoch()
    const own = await group.newcomer()
    const content = {
      ...contentOf(epoch, outside),
      contentType: ContentType.proposal,
      proposal: adding(own),
      ...header,
    } as FramedContent
    const signatureKey = new Secret(own.person.signatureKey.slice())
    const signer = await group.conclave.suite.importSigner(signatureKey)
    const message = await frame(epoch, content, undefined, { signer })
    await expectOnlyTsMlsAccepts(group, message, code, 'proposal')
    const { welcome } = await group.bob.commit(committing())
    expect(welcome).toBeDefined()
  })

  it('to update a leaf with the key that it has, and commits it (§12.1.2)', async () => {
    const group = await MixedGroup.of()
    const epoch = await group.epoch()
    const { encryptionKey } = leafOf(group, 0)
    const update = await forgeUpdate(epoch, (leaf) => ({ ...leaf, encryptionKey }))
    const message = await frameProposal(epoch, update)
    await expectOnlyTsMlsAccepts(group, message, 'proposal-update-key-unchanged', 'proposal')
    expect(await verdict(group.carol, message)).toBe('proposal')
    const commit = await group.carol.commit(committing())
    await expectOnlyTsMlsAccepts(group, commit.message, 'proposal-unknown-reference')
  })
})

describe('ts-mls accepts the Add of a leaf', () => {
  it.each<[string, (group: MixedGroup) => Bytes, string]>([
    [
      "another leaf's (§7.3)",
      (group) => leafOf(group, 1).encryptionKey,
      'leaf-encryption-key-duplicate',
    ],
    [
      "a parent's (§12.4.3.1)",
      ({ alice }) => {
        const parents = alice.group.public.tree.parents()
        const { parentNode } = parents.find((parent) => parent.parentNode !== undefined) ?? {}
        return parentNode?.encryptionKey ?? emptyBytes
      },
      'tree-key-duplicate',
    ],
    ['empty (RFC 9180 §7.1.4)', () => emptyBytes, 'leaf-key-invalid'],
    ['of low order (RFC 9180 §7.1.4)', () => new Uint8Array(32), 'leaf-key-invalid'],
  ])('whose encryption key is %s', async (_, keyOf, code) => {
    const group = await MixedGroup.of()
    const encryptionKey = keyOf(group)
    const proposals = [await addOf(group, (leaf) => ({ ...leaf, encryptionKey }))]
    await expectOnlyTsMlsAccepts(group, await forged(group, { proposals, ...withoutPath }), code)
  })

  it('with the encryption key of another, after which nobody can enter any more', async () => {
    const group = await MixedGroup.of()
    const { bob, tsMls } = group
    const { encryptionKey } = leafOf(group, 1)
    const proposals = [await addOf(group, (leaf) => ({ ...leaf, encryptionKey }))]
    await bob.receive(await forged(group, { proposals, ...withoutPath }))
    const frank = await group.newcomer(tsMls, 'frank')
    await expect(bob.commit(committing([adding(frank)]))).rejects.toThrow('hpke keys not unique')
    const groupInfo = await bob.groupInfo({ ratchetTree: true })
    const joining = tsMls.joinExternally(frank.person, {
      groupInfo,
      ratchetTree: undefined,
      replaces: undefined,
    })
    await expect(joining).rejects.toThrow('hpke keys not unique')
  })

  it.each<[string, (leaf: LeafNodeContent) => LeafNodeContent, string]>([
    ['without the version', withCapabilities({ versions: [] }), 'leaf-version-unsupported'],
    [
      'without the cipher suite',
      withCapabilities({ cipherSuites: [] }),
      'leaf-version-unsupported',
    ],
    [
      'without its own credential',
      withCapabilities({ credentials: [2] }),
      'leaf-credential-unlisted',
    ],
    [
      'with two extensions of one type',
      (leaf) => ({ ...leaf, extensions: [...leaf.extensions, ...leaf.extensions] }),
      'extension-duplicate',
    ],
  ])('%s in what it lists (§7.2, §13.4)', async (_, leaf, code) => {
    const group = await MixedGroup.of()
    const proposals = [await addOf(group, leaf)]
    await expectOnlyTsMlsAccepts(group, await forged(group, { proposals, ...withoutPath }), code)
  })
})

describe('ts-mls accepts a commit', () => {
  it('of GroupContextExtensions without a path, and makes some (§12.4)', async () => {
    const group = await MixedGroup.of()
    const change = contextOf(requireNothing)
    const proposals = [change, await addOf(group, (leaf) => leaf)]
    const message = await forged(group, { proposals, ...withoutPath })
    await expectOnlyTsMlsAccepts(group, message, 'commit-path-missing')

    const other = await MixedGroup.of()
    const { message: made } = await other.carol.commit(
      committing([
        { proposalType: ProposalType.groupContextExtensions, extensions: [requireNothing] },
      ]),
    )
    await expectOnlyTsMlsAccepts(other, made, 'commit-path-missing')
  })

  it.each<[string, readonly Extension[], string]>([
    [
      'an extension that no member supports (§13.4)',
      [{ extensionType: 0xf0ff, extensionData: emptyBytes }],
      'leaf-capabilities-insufficient',
    ],
    ['two extensions of one type (§13.4)', [requireNothing, requireNothing], 'extension-duplicate'],
  ])('that gives the group %s', async (_, extensions, code) => {
    const group = await MixedGroup.of()
    const message = await forged(group, { proposals: [contextOf(...extensions)] })
    await expectOnlyTsMlsAccepts(group, message, code)
  })

  it('with a proposal of a type that no member supports, as if it were not there (§12.2)', async () => {
    const group = await MixedGroup.of()
    const proposal = {
      proposalType: ProposalType.custom,
      customType: 0xf0ff,
      proposalData: utf8('whatever this asks for'),
    } as const
    const message = await forged(group, { proposals: [byValue(proposal)] })
    await expectOnlyTsMlsAccepts(group, message, 'proposal-type-unsupported')
  })

  it('whose path has more ciphertexts than a resolution has nodes (§7.6)', async () => {
    const group = await MixedGroup.of()
    const message = await forged(group, {
      path: (path) => ({
        ...path,
        nodes: path.nodes.map(({ encryptedPathSecret, ...node }) => ({
          ...node,
          encryptedPathSecret: [...encryptedPathSecret, ...encryptedPathSecret],
        })),
      }),
    })
    await expectOnlyTsMlsAccepts(group, message, 'commit-path-ciphertext-count-wrong')
  })

  it("whose path gives the committer another member's encryption key (§7.3)", async () => {
    const group = await MixedGroup.of()
    const { encryptionKey } = leafOf(group, 1)
    const message = await forged(group, { leaf: (leaf) => ({ ...leaf, encryptionKey }) })
    await expectOnlyTsMlsAccepts(group, message, 'commit-path-key-duplicate')
  })

  it('whose leaf does not list its own credential (§7.2)', async () => {
    const group = await MixedGroup.of()
    const message = await forged(group, { leaf: withCapabilities({ credentials: [2] }) })
    await expectOnlyTsMlsAccepts(group, message, 'leaf-credential-unlisted')
  })
})

describe('ts-mls joins with a tree', () => {
  it.each<[string, (unmerged: readonly number[]) => readonly number[]]>([
    ['are not in order (§7.1)', (unmerged) => unmerged.toReversed()],
    ['are there twice (§7.1)', ([first = 0, ...others]) => [first, first, ...others]],
    ['are blank (§12.4.3.1)', (unmerged) => [...unmerged, 7]],
  ])('whose unmerged leaves %s', async (_, change) => {
    const group = await grown()
    const { mallory, conclave, tsMls, newcomer } = group
    const nodes: RatchetTree = mallory.group.ratchetTree.map((node) => {
      if (node?.nodeType !== NodeType.parent) return node
      const { parentNode } = node
      if (parentNode.unmergedLeaves.length === 0) return node
      const unmergedLeaves = change(parentNode.unmergedLeaves) as readonly LeafIndex[]
      return { ...node, parentNode: { ...parentNode, unmergedLeaves } }
    })
    const welcome = await inventWelcome(conclave.suite, {
      ...(await inventing(group.epoch)),
      tree: PublicTree.fromRatchetTree(nodes),
      newcomer: decode(KeyPackage, newcomer.keyPackage),
    })
    const message = encode(MlsMessage, { version: 1, wireFormat: WireFormat.welcome, welcome })
    const tree = encode(RatchetTree, nodes)
    expect((await tsMls.join(message, newcomer, tree)).leafIndex).toBe(6)
    await expect(conclave.join(message, newcomer, tree)).rejects.toMatchObject({
      code: 'tree-unmerged-leaf-invalid',
    })
  })
})

function withCapabilities(change: Partial<LeafNodeContent['capabilities']>) {
  return (leaf: LeafNodeContent): LeafNodeContent => ({
    ...leaf,
    capabilities: { ...leaf.capabilities, ...change },
  })
}

/** What mallory has for a Welcome of its own making. */
async function inventing(epoch: () => Promise<Epoch>) {
  const { signer, leafIndex: signerLeaf, public: group } = await epoch()
  return { signer, signerLeaf, context: group.groupContext, tree: group.tree }
}

/**
 * A group with blank nodes, and leaves 5 and 6 unmerged at its root. The newcomer, at leaf 6, has
 * yet to join.
 */
async function grown() {
  const group = await MixedGroup.of()
  const { conclave, tsMls, mallory } = group
  const filling = await mallory.commit(committing([adding(await group.newcomer(conclave, 'dave'))]))
  filling.confirm()
  const newcomer = await group.newcomer(tsMls, 'frank')
  const proposals = [adding(await group.newcomer(conclave, 'erin')), adding(newcomer)]
  const { welcome, confirm } = await mallory.commit({ ...committing(proposals), path: false })
  confirm()
  if (welcome === undefined) throw new Error('somebody was added')
  return { conclave, tsMls, mallory, newcomer, welcome, epoch: () => group.epoch() }
}
