import type { Bytes } from '../../core/src/codec/bytes.ts'
import { encode } from '../../core/src/codec/tls.ts'
import { Secret } from '../../core/src/crypto/secret/index.ts'
import { signGroupInfo } from '../../core/src/mls/bootstrap/groupInfo.ts'
import { leafContent, signLeafNode } from '../../core/src/mls/bootstrap/keyPackageBundle.ts'
import { sealWelcome } from '../../core/src/mls/bootstrap/welcome.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveMemberSecret,
} from '../../core/src/mls/treekem/keySchedule.ts'
import { type DerivedPath, derivePath } from '../../core/src/mls/treekem/pathSecrets.ts'
import { pathParentHashes } from '../../core/src/mls/treesync/parentHash.ts'
import { PublicTree } from '../../core/src/mls/treesync/publicTree.ts'
import {
  ExternalPub,
  type GroupContext,
  type GroupInfo,
  type KeyPackage,
  type LeafIndex,
  MlsMessage,
} from '../../core/src/wire/index.ts'
import {
  ExtensionType,
  LeafNodeSource,
  ProtocolVersion,
  WireFormat,
} from '../../core/src/wire/registry.ts'
import { suite1 as crypto, type Person, person } from './people.ts'

/**
 * cold: founded by leaf 0, who alone has committed a path.
 * warm: every second member has committed one, so no parent that has members on both sides is blank.
 */
export type Kind = 'cold' | 'warm'

/** The founder, Alice, Bob and whoever is removed are four people. */
export const smallestWorld = 4

export interface Inhabitant extends Person {
  readonly leafIndex: LeafIndex
}

/**
 * A group in its first epoch, which everyone enters by the same bytes. It is put together from keys
 * that are all known here, because members who really commit would take hours; whoever joins it
 * verifies everything of it.
 */
export interface World {
  readonly members: number
  readonly kind: Kind
  readonly groupContext: GroupContext
  readonly tree: PublicTree
  /** Encoded `ratchet_tree`. */
  readonly ratchetTree: Bytes
  /** MLSMessage that welcomes Alice and Bob. */
  readonly welcome: Bytes
  /** MLSMessage with external_pub, without the tree. */
  readonly groupInfo: Bytes
  /** Leaf 1, who commits. She knows the keys of all nodes above her. */
  readonly alice: Inhabitant
  /** In the other half of the tree, as half of all members are: he processes what Alice commits. */
  readonly bob: Inhabitant
  /** The first leaf of Bob's half, unless he is alone in it. */
  readonly removed: LeafIndex
  /** Somebody outside. */
  readonly carol: Person
  /** Founds a group of one, to which `crowd` is added. */
  readonly founder: Person
  readonly crowd: readonly KeyPackage[]
}

export async function buildWorld(members: number, kind: Kind): Promise<World> {
  const groupId = crypto.random(16)
  const people: Person[] = []
  for (let i = 0; i < members; i++) people.push(await person(`member ${i}`))

  let tree = PublicTree.ofFounder((people[0] as Person).bundle.keyPackage.leafNode)
  for (const { bundle } of people.slice(1)) {
    tree = tree.withAddedLeaf(bundle.keyPackage.leafNode).tree
  }
  const commit = async (leafIndex: LeafIndex): Promise<DerivedPath> => {
    const committed = await withPathOf(tree, people, { groupId, leafIndex })
    tree = committed.tree
    return committed.derived
  }
  for (let leaf = 2; kind === 'warm' && leaf < members - 1; leaf += 2) {
    await commit(leaf as LeafIndex)
  }
  const { secrets } = await commit(0 as LeafIndex)

  const groupContext: GroupContext = {
    version: ProtocolVersion.mls10,
    cipherSuite: crypto.suite.id,
    groupId,
    epoch: 1n,
    treeHash: tree.treeHash(crypto),
    confirmedTranscriptHash: crypto.random(crypto.suite.Nh),
    extensions: [],
  }
  const half = tree.leafCount / 2
  const at = (leaf: number): Inhabitant => ({
    ...(people[leaf] as Person),
    leafIndex: leaf as LeafIndex,
  })
  const alice = at(1)
  const bob = at(members - 1)
  const newcomers = [
    { keyPackage: alice.bundle.keyPackage, pathSecret: secrets[0] },
    { keyPackage: bob.bundle.keyPackage, pathSecret: secrets[secrets.length - 1] },
  ]
  return {
    members,
    kind,
    groupContext,
    tree,
    ratchetTree: tree.encoded(),
    ...(await invitations(groupContext, people[0] as Person, newcomers)),
    alice,
    bob,
    removed: (half === bob.leafIndex ? half - 1 : half) as LeafIndex,
    carol: await person('carol'),
    founder: await person('founder'),
    crowd: people.slice(1).map(({ bundle }) => bundle.keyPackage),
  }
}

/** The tree after one of the people has committed a path, which is not sealed to anyone. */
async function withPathOf(
  tree: PublicTree,
  people: readonly Person[],
  position: { readonly groupId: Bytes; readonly leafIndex: LeafIndex },
): Promise<{ tree: PublicTree; derived: DerivedPath }> {
  const { leafIndex } = position
  const first = new Secret(crypto.random(crypto.suite.Nh))
  const steps = tree.filteredDirectPath(leafIndex)
  const derived = await derivePath(crypto, first, steps.length)
  const leafKey = await crypto.deriveKeyPair(new Secret(crypto.random(crypto.suite.Nh)))
  const keys = derived.keys.map(({ publicKey }) => publicKey)
  const { parentNodes, leafParentHash } = pathParentHashes(crypto, steps, keys)
  const own = people[leafIndex] as Person
  const content = {
    ...leafContent(own, leafKey.publicKey),
    leafNodeSource: LeafNodeSource.commit,
    parentHash: leafParentHash,
  }
  const leaf = await signLeafNode(own.signer, content, position)
  return { tree: tree.withPath(leafIndex, leaf, steps, parentNodes), derived }
}

/** RFC 9420 §12.4.3: what the committer of the epoch would have sent. */
async function invitations(
  groupContext: GroupContext,
  { signer }: Person,
  newcomers: Parameters<typeof sealWelcome>[1],
): Promise<{ welcome: Bytes; groupInfo: Bytes }> {
  const joinerSecret = new Secret(crypto.random(crypto.suite.Nh))
  const noPsk = new Secret(new Uint8Array(crypto.suite.Nh))
  const memberSecret = deriveMemberSecret(crypto, joinerSecret, noPsk)
  const secrets = deriveEpochSecrets(crypto, memberSecret, groupContext)
  const content = {
    groupContext,
    extensions: [],
    confirmationTag: confirmationTag(crypto, secrets, groupContext.confirmedTranscriptHash),
    signer: 0 as LeafIndex,
  }
  const external = await crypto.deriveKeyPair(secrets.externalSecret)
  const externalPub = {
    extensionType: ExtensionType.externalPub,
    extensionData: encode(ExternalPub, { externalPub: external.publicKey }),
  }
  const groupInfo: GroupInfo = await signGroupInfo(signer, content)
  const { mls10: version } = ProtocolVersion
  return {
    welcome: encode(MlsMessage, {
      version,
      wireFormat: WireFormat.welcome,
      welcome: await sealWelcome(crypto, newcomers, joinerSecret, memberSecret, [], groupInfo),
    }),
    groupInfo: encode(MlsMessage, {
      version,
      wireFormat: WireFormat.groupInfo,
      groupInfo: await signGroupInfo(signer, { ...content, extensions: [externalPub] }),
    }),
  }
}
