import { expect } from 'vitest'
import { type Bytes, emptyBytes } from '../../src/codec/bytes.ts'
import { Secret, type SecretSuite, type Signer } from '../../src/crypto/secret/index.ts'
import { signGroupInfo } from '../../src/mls/bootstrap/groupInfo.ts'
import type { KeyPackageBundle } from '../../src/mls/bootstrap/index.ts'
import { sealWelcome } from '../../src/mls/bootstrap/welcome.ts'
import { Group } from '../../src/mls/group/index.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveMemberSecret,
} from '../../src/mls/treekem/keySchedule.ts'
import type { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import type {
  GroupContext,
  GroupInfo,
  GroupInfoTbs,
  KeyPackage,
  LeafIndex,
  PreSharedKeyId,
  RatchetTree,
  Welcome,
} from '../../src/wire/index.ts'
import type { Change } from './malformed.ts'
import { add, Party, type PartyOptions } from './party.ts'
import { type RefusalCode, refusal } from './refusals.ts'

export interface InventedGroup {
  readonly signer: Signer
  readonly signerLeaf: LeafIndex
  readonly context: GroupContext
  readonly tree: PublicTree
  readonly newcomer: KeyPackage
  readonly pathSecret?: Secret
  readonly psks?: readonly PreSharedKeyId[]
  readonly pskSecret?: Secret
  readonly groupInfo?: Change<GroupInfoTbs>
  readonly confirmationTag?: Change<Bytes>
  /** What the GroupInfo is sealed under instead of what the newcomer derives. */
  readonly sealedUnder?: Secret
  /** After the GroupInfo was signed. */
  readonly signed?: Change<GroupInfo>
}

/**
 * A Welcome into a group that its sender has made up: a newcomer has nothing but the rules of
 * §12.4.3.1 to tell it from a real one.
 */
export async function inventWelcome(crypto: SecretSuite, group: InventedGroup): Promise<Welcome> {
  const { tree } = group
  const context = { ...group.context, treeHash: tree.treeHash(crypto) }
  const plain: GroupInfoTbs = {
    groupContext: context,
    extensions: [],
    confirmationTag: emptyBytes,
    signer: group.signerLeaf,
  }
  const changed = group.groupInfo?.(plain) ?? plain
  const joinerSecret = new Secret(crypto.random(crypto.suite.Nh))
  const pskSecret = group.pskSecret ?? new Secret(new Uint8Array(crypto.suite.Nh))
  const memberSecret = deriveMemberSecret(crypto, joinerSecret, pskSecret)
  const secrets = deriveEpochSecrets(crypto, memberSecret, changed.groupContext)
  const tag = confirmationTag(crypto, secrets, changed.groupContext.confirmedTranscriptHash)
  const groupInfo = await signGroupInfo(group.signer, {
    ...changed,
    confirmationTag: group.confirmationTag?.(tag) ?? tag,
  })
  return sealWelcome(
    crypto,
    [{ keyPackage: group.newcomer, pathSecret: group.pathSecret }],
    joinerSecret,
    group.sealedUnder ?? memberSecret,
    group.psks ?? [],
    group.signed?.(groupInfo) ?? groupInfo,
  )
}

/**
 * A group whose tree has everything: populated parents, a blank leaf (1) and, under the parent of
 * leaves 4 to 7, a leaf (7) that is unmerged. erin, at leaf 2, has been added and has yet to join.
 */
async function build(options: PartyOptions = {}) {
  const party = await Party.of(
    ['alice', 'bob', 'carol', 'dave', 'frank', 'grace', 'heidi'],
    options,
  )
  await party.deliver(await party.group('carol').proposeSelfRemove())
  await party.commit('alice')
  await party.commit('frank')
  const bundle = await party.keyPackage(await party.person('erin'))
  const judy = await party.keyPackage(await party.person('judy'))
  await party.commit('alice', [add(bundle.keyPackage), add(judy.keyPackage)])
  await party.deliver(await party.group('bob').proposeSelfRemove())
  await party.commit('alice')
  return { party, bundle, alice: party.group('alice') }
}

export type Scene = Awaited<ReturnType<typeof build>>

let built: Promise<Scene> | undefined

/** A newcomer's first sight of the group. What is refused changes nothing, so one group does. */
export async function scene(options?: PartyOptions): Promise<Scene> {
  if (options === undefined) built ??= build()
  const { bundle, ...rest } = await (options === undefined
    ? (built as Promise<Scene>)
    : build(options))
  const copied = ({ publicKey, privateKey }: KeyPackageBundle['initKey']) => ({
    publicKey,
    privateKey: privateKey.copy(),
  })
  const own = { ...bundle, initKey: copied(bundle.initKey), leafKey: copied(bundle.leafKey) }
  return { ...rest, bundle: own }
}

export async function joins(
  { party, bundle, alice }: Scene,
  welcome: Welcome,
  tree: RatchetTree = alice.ratchetTree,
): Promise<Group> {
  return Group.join(party.environment, { welcome, bundle, ratchetTree: async () => tree })
}

/** alice invites into a group that differs from the real one in what is given. */
export function invented(
  { party, bundle, alice }: Scene,
  change: Partial<InventedGroup> = {},
): Promise<Welcome> {
  return inventWelcome(party.suite, {
    signer: party.at('alice').person.own.signer,
    signerLeaf: alice.leafIndex,
    context: alice.groupContext,
    tree: alice.public.tree,
    newcomer: bundle.keyPackage,
    ...change,
  })
}

/** The newcomer refuses, with its KeyPackage as good as before: a sound Welcome still opens. */
export async function expectJoinRefused(
  of: Scene,
  welcome: Welcome,
  code: RefusalCode,
  tree?: RatchetTree,
): Promise<void> {
  await expect(joins(of, welcome, tree)).rejects.toEqual(refusal(code))
  const joined = await joins(of, await invented(of))
  expect(joined.groupContext).toEqual(of.alice.groupContext)
}
