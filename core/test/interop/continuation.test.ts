import {
  branchGroup,
  type CreateCommitResult,
  joinGroupFromBranch,
  joinGroupFromReinit,
  reinitCreateNewGroup,
} from 'ts-mls'
import { describe, expect, it } from 'vitest'
import { type Bytes, utf8 } from '../../src/codec/bytes.ts'
import { decode } from '../../src/codec/tls.ts'
import { lifetimeFrom, type OwnLeaf } from '../../src/mls/bootstrap/index.ts'
import { Group, type PendingCommit } from '../../src/mls/group/index.ts'
import { KeyPackage, RatchetTree } from '../../src/wire/index.ts'
import { ProposalType } from '../../src/wire/registry.ts'
import { welcomeIn } from '../mls/party.ts'
import { ConclaveMember } from './conclave.ts'
import type { Member, OwnKeyPackage } from './member.ts'
import { committing, MixedGroup, verdict } from './mixedGroup.ts'
import { decoded, encoded, keysOf, TsMlsMember, treeOf } from './tsMls.ts'

const groupId = utf8('the next group')
const suite = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'

/** mallory or bob has committed that the group goes on as another. */
async function reinitialised(by: 'mallory' | 'bob'): Promise<MixedGroup> {
  const group = await MixedGroup.of()
  const { mallory, alice, bob, carol } = group
  const { reInit: proposalType } = ProposalType
  const next = { proposalType, groupId, version: 1, cipherSuite: 1, extensions: [] }
  const { message, confirm } = await group[by].commit({ ...committing([next]), path: false })
  for (const member of [mallory, alice, bob, carol]) {
    if (member !== group[by]) expect(await verdict(member, message)).toBe('commit')
  }
  confirm()
  return group
}

/** Fresh keys of a member's, for another group. */
function anew(group: MixedGroup, name: 'mallory' | 'alice' | 'bob' | 'carol') {
  const library = name === 'bob' || name === 'carol' ? group.tsMls : group.conclave
  return group.newcomer(library, name)
}

/** What mallory founds a continuing group with. */
async function continuing({ conclave }: MixedGroup, others: readonly OwnKeyPackage[]) {
  return {
    own: await conclave.leafOf(await conclave.person('mallory')),
    lifetime: lifetimeFrom(conclave.environment.clock, 3600),
    keyPackages: others.map(({ keyPackage }) => decode(KeyPackage, keyPackage)),
  }
}

async function ours(
  { conclave }: MixedGroup,
  old: ConclaveMember,
  own: OwnKeyPackage,
  welcome: Bytes,
  tree: Bytes,
): Promise<ConclaveMember> {
  const joining = {
    welcome: welcomeIn(welcome),
    bundle: await conclave.bundleOf(own),
    ratchetTree: async () => decode(RatchetTree, tree),
  }
  const group = await Group.join(conclave.environment, joining, old.group)
  return new ConclaveMember(conclave, await conclave.leafOf(own.person), group)
}

function entered({ conclave }: MixedGroup, own: OwnLeaf, pending: PendingCommit) {
  return new ConclaveMember(conclave, own, Group.enter(pending))
}

function welcomeOf({ welcome }: Pick<CreateCommitResult, 'welcome'>): Bytes {
  if (welcome === undefined) throw new Error('nobody was added')
  return encoded({ version: 'mls10', wireformat: 'mls_welcome', welcome })
}

function welcomeFrom(message: Bytes | undefined) {
  const read = message && decoded(message)
  if (read?.wireformat !== 'mls_welcome') throw new Error('no Welcome')
  return read.welcome
}

async function expectOneGroup(members: readonly Member[]): Promise<void> {
  const [first, ...others] = await Promise.all(members.map((member) => member.view()))
  for (const view of others) expect(view).toEqual(first)
  for (const from of members) {
    const message = await from.protect(utf8('hello'), utf8(''))
    for (const to of members) {
      if (to !== from) expect(await verdict(to, message)).toBe('application')
    }
  }
}

describe('a group that is reinitialised (RFC 9420 §11.2)', () => {
  it.each(['mallory', 'bob'] as const)('by %s goes on where this library founds it', async (by) => {
    const group = await reinitialised(by)
    const { conclave, tsMls, mallory, alice, bob, carol } = group
    const alices = await anew(group, 'alice')
    const bobs = await anew(group, 'bob')
    const carols = await anew(group, 'carol')
    const plan = await continuing(group, [alices, bobs, carols])
    const pending = await mallory.group.reInit(conclave.environment, plan)
    const { welcome } = pending
    if (welcome === undefined) throw new Error('three were added')
    const founder = entered(group, plan.own, pending)
    const tree = founder.ratchetTree()
    const theirs = async ({ state }: TsMlsMember, own: OwnKeyPackage) => {
      const keys = keysOf(own)
      const joined = joinGroupFromReinit(state, welcomeFrom(welcome), ...keys, treeOf(tree))
      return new TsMlsMember(tsMls, await joined)
    }
    await expectOneGroup([
      founder,
      await ours(group, alice, alices, welcome, tree),
      await theirs(bob, bobs),
      await theirs(carol, carols),
    ])
  })

  it.each(['mallory', 'bob'] as const)('by %s goes on where ts-mls founds it', async (by) => {
    const group = await reinitialised(by)
    const { tsMls, mallory, alice, bob } = group
    const bobs = await anew(group, 'bob')
    const mallorys = await anew(group, 'mallory')
    const alices = await anew(group, 'alice')
    const others = [mallorys, alices, await anew(group, 'carol')]
    const keyPackages = others.map((own) => keysOf(own)[0])
    const made = await reinitCreateNewGroup(
      bob.state,
      ...keysOf(bobs),
      keyPackages,
      groupId,
      suite,
      [],
    )
    const founder = new TsMlsMember(tsMls, made.newState)
    const tree = founder.ratchetTree()
    await expectOneGroup([
      founder,
      await ours(group, mallory, mallorys, welcomeOf(made), tree),
      await ours(group, alice, alices, welcomeOf(made), tree),
    ])
  })
})

describe('a branch of a group (RFC 9420 §11.3)', () => {
  it('that this library founds has members with both', async () => {
    const group = await MixedGroup.of()
    const { conclave, tsMls, mallory, bob } = group
    const bobs = await anew(group, 'bob')
    const plan = { ...(await continuing(group, [bobs])), groupId, extensions: [] }
    const pending = await mallory.group.branch(conclave.environment, plan)
    const welcome = welcomeFrom(pending.welcome)
    const founder = entered(group, plan.own, pending)
    const tree = treeOf(founder.ratchetTree())
    const keys = keysOf(bobs)
    const joined = await joinGroupFromBranch(bob.state, welcome, ...keys, tree, tsMls.suite)
    await expectOneGroup([founder, new TsMlsMember(tsMls, joined)])
  })

  it('that ts-mls founds has members with both', async () => {
    const group = await MixedGroup.of()
    const { tsMls, mallory, bob } = group
    const bobs = await anew(group, 'bob')
    const mallorys = await anew(group, 'mallory')
    const keyPackages = [keysOf(mallorys)[0]]
    const keys = keysOf(bobs)
    const made = await branchGroup(bob.state, ...keys, keyPackages, groupId, tsMls.suite)
    const founder = new TsMlsMember(tsMls, made.newState)
    const tree = founder.ratchetTree()
    await expectOneGroup([founder, await ours(group, mallory, mallorys, welcomeOf(made), tree)])
  })
})
