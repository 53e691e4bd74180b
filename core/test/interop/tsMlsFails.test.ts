import {
  acceptAll,
  createCommit,
  createGroupInfoWithExternalPub,
  joinGroupExternal,
  processMessage,
} from 'ts-mls'
import { describe, expect, it } from 'vitest'
import { type Bytes, emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import {
  type Extension,
  ExternalSenders,
  type LeafIndex,
  RatchetTree,
} from '../../src/wire/index.ts'
import {
  CredentialType,
  ExtensionType,
  NodeType,
  ProposalType,
  PskType,
} from '../../src/wire/registry.ts'
import { type CommitPlan, type Library, type Member, pskId } from './member.ts'
import { adding, committing, MixedGroup, plain, verdict } from './mixedGroup.ts'
import { decoded, encoded, keysOf } from './tsMls.ts'
import { followsLeaves, refusesTree } from './tsMlsLimits.ts'

/*
 * What RFC 9420 allows and ts-mls 1.6.4 fails at, beside what this library does in its place. The
 * random scripts go around it.
 */

const removing = (leaf: number) =>
  ({ proposalType: ProposalType.remove, removed: leaf as LeafIndex }) as const

const changing = (...extensions: readonly Extension[]) =>
  ({ proposalType: ProposalType.groupContextExtensions, extensions }) as const

const requireNothing: Extension = {
  extensionType: ExtensionType.requiredCapabilities,
  extensionData: new Uint8Array(3),
}

/** `by`'s commit has won, and everyone else follows. Its Welcome, if there is one. */
async function settled(by: Member, others: readonly Member[], plan: CommitPlan): Promise<Bytes> {
  const { message, welcome, confirm } = await by.commit(plan)
  for (const member of others) expect(await verdict(member, message)).toBe('commit')
  confirm()
  return welcome ?? emptyBytes
}

/** Somebody new with this library, whom mallory adds. */
async function added<T extends Member>(
  group: MixedGroup,
  library: Library<T>,
  name: string,
  others: readonly Member[] = [],
): Promise<T> {
  const { mallory, alice, bob, carol } = group
  const own = await library.keyPackage(await group.conclave.person(name))
  const plan = committing([adding(own)])
  const welcome = await settled(mallory, [alice, bob, carol, ...others], plan)
  return library.join(welcome, own, mallory.ratchetTree())
}

describe('ts-mls and the data of an extension', () => {
  it('external_pub: neither reads what we write nor writes what we read (§12.4.3.2)', async () => {
    const group = await MixedGroup.of()
    const { mallory, bob, conclave, tsMls } = group
    const frank = await group.newcomer()
    const ratchetTree = mallory.ratchetTree()

    const ours = decoded(await mallory.groupInfo({ ratchetTree: true }))
    if (ours.wireformat !== 'mls_group_info') throw new Error('no GroupInfo')
    const joining = joinGroupExternal(ours.groupInfo, ...keysOf(frank), false, tsMls.suite)
    await expect(joining).rejects.toThrow('DeserializeError')

    const theirs = await createGroupInfoWithExternalPub(bob.state, [], tsMls.suite)
    const groupInfo = encoded({
      version: 'mls10',
      wireformat: 'mls_group_info',
      groupInfo: theirs,
    })
    await expect(
      conclave.joinExternally(frank.person, { groupInfo, ratchetTree, replaces: undefined }),
    ).rejects.toMatchObject({ code: 'extension-malformed' })
  })

  it('external_senders: reads one sender where there is a list (§12.1.8.1)', async () => {
    const { alice, bob, mallory } = await MixedGroup.of()
    const credential = { credentialType: CredentialType.basic, identity: utf8('keyserver') }
    const extension = {
      extensionType: ExtensionType.externalSenders,
      extensionData: encode(ExternalSenders, [{ signatureKey: new Uint8Array(32), credential }]),
    }
    const { message } = await mallory.commit(committing([changing(extension)]))
    expect(await verdict(alice, message)).toBe('commit')
    expect(await verdict(bob, message)).toBe('Could not decode external_senders')
  })
})

describe('ts-mls and a change of the GroupContext', () => {
  it('takes one that leaves no extensions for none at all (§12.1.7)', async () => {
    const { alice, bob, carol, mallory } = await MixedGroup.of()
    await settled(mallory, [alice, bob, carol], committing([changing(requireNothing)]))
    const { message } = await mallory.commit(committing([changing()]))
    expect(await verdict(bob, message)).toMatch('OpenError')
    expect(await verdict(alice, message)).toBe('commit')
    expect(alice.group.groupContext.extensions).toEqual([])
  })

  it('seals its path under the extensions of before, so that nobody can follow (§12.4.1)', async () => {
    const { bob, carol, mallory } = await MixedGroup.of()
    const { message } = await carol.commit(committing([changing(requireNothing), removing(1)]))
    expect(await verdict(bob, message)).toMatch('OpenError')
    expect(await verdict(mallory, message)).toBe('commit-path-undecryptable')
  })
})

describe('ts-mls and a valid tree', () => {
  it('refuses to join where a leaf is unmerged at one node and merged above (§12.4.3.1)', async () => {
    const group = await MixedGroup.of()
    const { alice, bob, carol, mallory, conclave, tsMls } = group
    // Leaves 4 to 7 get a parent of their own from dave, without leaf 7, which comes later.
    const dave = await added(group, conclave, 'dave')
    const erin = await added(group, conclave, 'erin', [dave])
    const frank = await added(group, conclave, 'frank', [dave, erin])
    const others = [alice, bob, carol, erin, frank]
    await settled(dave, [...others, mallory], committing())
    const heidi = await group.newcomer(tsMls, 'heidi')
    const welcome = await settled(mallory, [...others, dave], committing([adding(heidi)]))
    const tree = mallory.ratchetTree()
    const unmerged = decode(RatchetTree, tree).map((node) =>
      node?.nodeType === NodeType.parent ? node.parentNode.unmergedLeaves : undefined,
    )
    expect([unmerged[11], unmerged[7]]).toEqual([[7], []])
    expect(refusesTree(tree)).toBe(true)
    await expect(tsMls.join(welcome, heidi, tree)).rejects.toThrow(
      'non-blank intermediate node must list leaf node in its unmerged_leaves',
    )
    const joined = await conclave.join(welcome, heidi, tree)
    expect(await joined.view()).toEqual(await bob.view())
  })

  it('derives another commit secret where the left half is blank (§7.4)', async () => {
    const group = await MixedGroup.of()
    const dave = await added(group, group.conclave, 'dave')
    const erin = await added(group, group.conclave, 'erin', [dave])
    const frank = await added(group, group.tsMls, 'frank', [dave, erin])
    const leaves = [dave, erin, frank].map(({ leafIndex }) => leafIndex)
    expect(leaves).toEqual([4, 5, 6])
    expect(followsLeaves(leaves)).toBe(false)
    const plan = committing([0, 1, 2, 3].map(removing))
    const [ours, theirs] = [await dave.commit(plan), await frank.commit(plan)]
    expect(await verdict(dave, theirs.message)).toBe('commit-confirmation-tag-invalid')
    expect(await verdict(frank, ours.message)).toBe('Could not verify confirmation tag')
    expect(await verdict(erin, ours.message)).toBe('commit')
  })
})

describe('ts-mls and a commit that removes it', () => {
  it('fails inside where somebody who is added takes its leaf (§12.4.2)', async () => {
    const group = await MixedGroup.of()
    const { mallory, alice, bob } = group
    const adds = ['dave', 'erin'].map(async (name) =>
      adding(await group.newcomer(group.conclave, name)),
    )
    const proposals = [removing(1), removing(2), ...(await Promise.all(adds))]
    const { message } = await mallory.commit(committing(proposals))
    expect(await verdict(bob, message)).toMatch('No overlap between provided private keys')
    expect(await verdict(alice, message)).toBe('removed')
  })

  it('fails inside where it is an external commit that does so (§12.4.2)', async () => {
    const { mallory, alice, bob, conclave } = await MixedGroup.of()
    const groupInfo = await mallory.groupInfo({ ratchetTree: true })
    for (const member of [alice, bob]) {
      const person = await conclave.person('the same')
      const join = { groupInfo, ratchetTree: undefined, replaces: member.leafIndex }
      const { message } = await conclave.joinExternally(person, join)
      const expected = member === alice ? 'removed' : 'This error should never occur'
      expect(await verdict(member, message)).toMatch(expected)
    }
  })
})

it('ts-mls cannot read a SelfRemove, which we commit only where every member supports it', async () => {
  const { alice, bob, mallory } = await MixedGroup.of()
  const message = await mallory.group.proposeSelfRemove()
  expect(await verdict(alice, message)).toBe('proposal')
  expect(await verdict(bob, message)).toBe('Offset beyond buffer')
  const { message: commit } = await alice.commit(committing())
  expect(await verdict(bob, commit)).toBe('commit')
  expect(await verdict(mallory, commit)).toBe('commit')
})

describe('what ts-mls leaves to its application', () => {
  it('is not to commit an Update of its own, which it does not leave out (§12.2)', async () => {
    const { bob, tsMls } = await MixedGroup.of()
    await bob.proposeUpdate(plain)
    const commit = createCommit({ state: bob.state, cipherSuite: tsMls.suite })
    await expect(commit).rejects.toThrow(
      'Commit cannot contain an update proposal sent by committer',
    )
  })

  it('is who sent what waits for a commit, which its stored state loses for leaf 0', async () => {
    const { alice, bob, carol, mallory } = await MixedGroup.of()
    const message = await mallory.proposeUpdate(plain)
    for (const member of [alice, bob, carol]) {
      expect(await verdict(member, message)).toBe('proposal')
      await member.restart()
    }
    await expect(bob.commit(committing())).rejects.toThrow('No sender index found for update')
    const { message: commit } = await alice.commit(committing())
    expect(await verdict(mallory, commit)).toBe('commit')
    expect(await verdict(carol, commit)).toMatch('No sender index found for update')
  })

  it('is to open PrivateMessages by itself where they use pre-shared keys', async () => {
    const { bob, carol, mallory, tsMls } = await MixedGroup.of()
    const psk = { pskType: PskType.external, pskId, pskNonce: new Uint8Array(32) }
    const plan = { ...committing([{ proposalType: ProposalType.psk, psk }]), encrypted: true }
    const { message } = await mallory.commit(plan)
    const read = decoded(message)
    if (read.wireformat !== 'mls_private_message') throw new Error('no PrivateMessage')
    const psks = tsMls.psks(bob.state)
    const processed = processMessage(read, bob.state, psks, acceptAll, tsMls.suite)
    await expect(processed).rejects.toThrow('Could not find pskId referenced in proposal')
    expect(await verdict(carol, message)).toBe('commit')
  })
})
