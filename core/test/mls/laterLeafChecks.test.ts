import { describe, expect, it } from 'vitest'
import { signGroupInfo } from '../../src/mls/bootstrap/groupInfo.ts'
import { Group, type GroupEnvironment } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import type { GroupInfo, Node, RatchetTree } from '../../src/wire/index.ts'
import { NodeType } from '../../src/wire/registry.ts'
import { enter, expectHeard, knock, permissive } from './knocking.ts'
import { touched } from './malformed.ts'
import { add, groupInfoIn, Party } from './party.ts'
import { expectAlive, refusal } from './refusals.ts'

/** A group without parents, so that whoever signs its GroupInfo can put any leaves in its tree. */
async function flat() {
  const party = await Party.of(['alice'], permissive)
  const bundles = await Promise.all(
    ['bob', 'carol'].map(async (name) => party.keyPackage(await party.person(name))),
  )
  const { person, group } = party.at('alice')
  const pending = await group.commit({
    path: 'if-required',
    proposals: bundles.map(({ keyPackage }) => add(keyPackage)),
  })
  const alice = group.confirm(pending)
  const groupInfo = groupInfoIn(await alice.groupInfo({ externalPub: true }))
  const { own } = await party.person('dave')
  /** The group with another bob, described by alice. */
  const forge = async (change: (bob: Node) => Node) => {
    const ratchetTree = alice.ratchetTree.map((node, i) => (i === 2 && node ? change(node) : node))
    const treeHash = PublicTree.fromRatchetTree(ratchetTree).treeHash(party.suite)
    const groupContext = { ...groupInfo.groupContext, treeHash }
    const signed = await signGroupInfo(person.own.signer, { ...groupInfo, groupContext })
    return { groupInfo: signed, ratchetTree }
  }
  const knockAt = (
    described: { groupInfo: GroupInfo; ratchetTree: RatchetTree },
    environment: Partial<GroupEnvironment> = {},
  ) =>
    Group.joinExternally(
      { ...party.environment, ...environment },
      { ...described, own, leafChecks: 'later' },
    )
  return { forge, knockAt, genuine: { groupInfo, ratchetTree: alice.ratchetTree } }
}

const unsigned = (node: Node): Node => {
  if (node.nodeType !== NodeType.leaf) throw new Error('not a leaf')
  const { leafNode } = node
  return { ...node, leafNode: { ...leafNode, signature: touched(leafNode.signature) } }
}

describe('a newcomer that verifies leaves later', () => {
  it('enters like any other, once they are verified', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'])
    const dave = await party.person('dave')
    const pending = await knock(party, dave, { leafChecks: 'later' })
    await pending.verifyLeaves()
    await enter(party, dave, pending)
    await expectHeard(party)
    await expectAlive(party)
  })

  it('does not enter before', async () => {
    const party = await Party.of(['alice', 'bob'])
    const dave = await party.person('dave')
    const pending = await knock(party, dave, { leafChecks: 'later' })
    expect(() => Group.enter(pending)).toThrow(refusal('leaves-unverified'))
    const verifying = pending.verifyLeaves()
    expect(() => Group.enter(pending)).toThrow(refusal('leaves-unverified'))
    await verifying
    await enter(party, dave, pending)
  })

  it('does not enter where the signature of a leaf is bad, and can discard its commit', async () => {
    const { forge, knockAt, genuine } = await flat()
    const pending = await knockAt(await forge(unsigned))
    for (let i = 0; i < 2; i++) {
      await expect(pending.verifyLeaves()).rejects.toEqual(refusal('leaf-signature-invalid'))
      expect(() => Group.enter(pending)).toThrow(refusal('leaves-unverified'))
    }
    pending.discard()
    expect(() => pending.discard()).toThrow(refusal('pending-commit-settled'))
    const honest = await knockAt(genuine)
    await honest.verifyLeaves()
    expect(Group.enter(honest).members).toHaveLength(4)
  })

  it('does not enter where the policy refuses a leaf, which it is asked about once', async () => {
    const { knockAt, genuine } = await flat()
    let asked = 0
    const policy = {
      ...permissivePolicy,
      checkLeaf: async () => {
        asked += 1
        if (asked === 4) throw refusedByPolicy
      },
    }
    const refusedByPolicy = new Error('refused')
    const pending = await knockAt(genuine, { policy })
    // Its own.
    expect(asked).toBe(1)
    await expect(pending.verifyLeaves()).rejects.toBe(refusedByPolicy)
    await expect(pending.verifyLeaves()).rejects.toBe(refusedByPolicy)
    expect(asked).toBe(4)
    expect(() => Group.enter(pending)).toThrow(refusal('leaves-unverified'))
  })

  it('sends nothing into a tree that is wrong otherwise', async () => {
    const { forge, knockAt } = await flat()
    const keyless = (node: Node): Node => {
      if (node.nodeType !== NodeType.leaf) throw new Error('not a leaf')
      return { ...node, leafNode: { ...node.leafNode, encryptionKey: new Uint8Array(32) } }
    }
    await expect(knockAt(await forge(keyless))).rejects.toEqual(refusal('leaf-key-invalid'))
    const { groupInfo, ratchetTree } = await forge(unsigned)
    const other = { groupInfo, ratchetTree: ratchetTree.slice(0, -2) }
    await expect(knockAt(other)).rejects.toEqual(refusal('tree-hash-mismatch'))
  })

  it('has nothing to verify later where it has done so first', async () => {
    const { forge } = await flat()
    const party = await Party.of(['alice', 'bob'])
    const dave = await party.person('dave')
    const pending = await knock(party, dave)
    await pending.verifyLeaves()
    await enter(party, dave, pending)
    const forged = await forge(unsigned)
    const { own } = dave
    const first = Group.joinExternally(
      { ...party.environment, policy: permissivePolicy },
      { ...forged, own },
    )
    await expect(first).rejects.toEqual(refusal('leaf-signature-invalid'))
  })
})
