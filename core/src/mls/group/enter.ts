import { type Bytes, emptyBytes, equalBytes } from '../../codec/bytes.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { HpkeKeyPair, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import { type LeafIndex, type Lifetime, RatchetTree } from '../../wire/ratchetTree.ts'
import { ExtensionType, LeafNodeSource, ProtocolVersion } from '../../wire/registry.ts'
import type { GroupInfo, Welcome } from '../../wire/welcome.ts'
import {
  generateKeyPair,
  type KeyPackageBundle,
  leafContent,
  type OwnLeaf,
  signLeafNode,
} from '../bootstrap/keyPackageBundle.ts'
import { type OpenedWelcome, openWelcome } from '../bootstrap/welcome.ts'
import { MlsError } from '../mlsError.ts'
import { readExtension } from '../public/groupExtensions.ts'
import { PublicGroup } from '../public/publicGroup.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveFromEpochSecret,
  wipeEpochSecrets,
} from '../treekem/keySchedule.ts'
import { PrivateTree } from '../treekem/privateTree.ts'
import { keysFromWelcome } from '../treekem/updatePath.ts'
import { PublicTree } from '../treesync/publicTree.ts'
import { checkContinuation, withPsksOf } from './continuation.ts'
import { beginEpoch, checkConfirmationTag, type Epoch, type GroupEnvironment } from './epoch.ts'
import { History } from './history.ts'
import { applicationPsks } from './preSharedKeys.ts'
import { defaultRetention } from './retention.ts'

/** The group that somebody founds, and the founder's leaf. */
export interface Founding {
  readonly cipherSuite: number
  readonly groupId: Bytes
  readonly own: OwnLeaf
  readonly lifetime: Lifetime
  /** Of the GroupContext; none where left out. */
  readonly extensions?: Extensions
}

/**
 * RFC 9420 §11: a group of one, in epoch 0.
 * @throws MlsError `suite-unsupported`, or what the policy throws
 */
export async function foundEpoch(
  environment: GroupEnvironment,
  { cipherSuite, groupId, own, lifetime, extensions = [] }: Founding,
): Promise<Epoch> {
  const crypto = suiteOf(environment, cipherSuite)
  const leafKey = await generateKeyPair(crypto)
  const leafNode = await signLeafNode(own.signer, {
    ...leafContent(own, leafKey.publicKey),
    leafNodeSource: LeafNodeSource.keyPackage,
    lifetime,
  })
  const tree = PublicTree.ofFounder(leafNode)
  const groupContext: GroupContext = {
    version: ProtocolVersion.mls10,
    cipherSuite,
    groupId,
    epoch: 0n,
    treeHash: tree.treeHash(crypto),
    confirmedTranscriptHash: emptyBytes,
    extensions,
  }
  const epochSecret = new Secret(crypto.random(crypto.suite.Nh))
  const secrets = deriveFromEpochSecret(crypto, epochSecret)
  epochSecret.wipe()
  const tag = confirmationTag(crypto, secrets, emptyBytes)
  const leafIndex = 0 as LeafIndex
  try {
    return {
      environment,
      crypto,
      public: await PublicGroup.found(environment, crypto, groupContext, tree, tag),
      leafIndex,
      signer: own.signer,
      ...beginEpoch(crypto, secrets, tree.leafCount, leafIndex),
      privateTree: new PrivateTree(leafIndex, new Map([[0, leafKey]])),
      confirmationTag: tag,
      updates: [],
      history: newHistory(environment),
    }
  } catch (error) {
    wipeEpochSecrets(secrets)
    leafKey.privateKey.wipe()
    throw error
  }
}

/** A Welcome, and the KeyPackage of ours that it is for. */
export interface Joining {
  readonly welcome: Welcome
  readonly bundle: KeyPackageBundle
  /**
   * The tree, where the GroupInfo does not hold it. Called with its tree hash, once the GroupInfo
   * is open.
   */
  readonly ratchetTree?: (groupInfo: GroupInfo) => Promise<RatchetTree>
}

/** For a group that may reinitialise or branch off another (§11.2, §11.3). */
export interface ContinuedJoining extends Joining {
  readonly continues?: Epoch
}

/**
 * RFC 9420 §12.4.3.1. A bundle is used up only by success.
 * @throws MlsError, or what the policy throws
 */
export async function joinEpoch(
  environment: GroupEnvironment,
  joining: ContinuedJoining,
): Promise<Epoch> {
  const { welcome, bundle, continues } = joining
  const crypto = suiteOf(environment, welcome.cipherSuite)
  const known = withPsksOf(continues, applicationPsks(environment))
  const opened = await openWelcome(crypto, welcome, bundle, known)
  try {
    return await enterEpoch(environment, crypto, opened, joining)
  } finally {
    opened.memberSecret.wipe()
    opened.pathSecret?.wipe()
  }
}

async function enterEpoch(
  environment: GroupEnvironment,
  crypto: SecretSuite,
  { groupInfo, memberSecret, pathSecret, psks }: OpenedWelcome,
  { bundle, ratchetTree, continues }: ContinuedJoining,
): Promise<Epoch> {
  const { groupContext, confirmationTag: tag } = groupInfo
  if (groupContext.cipherSuite !== crypto.suite.id) {
    throw new MlsError('welcome-suite-mismatch', 'the GroupInfo is of another cipher suite')
  }
  if (environment.isInGroup?.(groupContext.groupId) === true) {
    throw new MlsError('welcome-group-known', 'we are in a group of this id already')
  }
  const nodes =
    readExtension(groupInfo.extensions, ExtensionType.ratchetTree, RatchetTree) ??
    (await ratchetTree?.(groupInfo))
  if (nodes === undefined) throw new MlsError('welcome-tree-missing', 'no ratchet tree was given')
  const group = await PublicGroup.open(environment, groupInfo, nodes)
  const leafIndex = ownLeaf(group.tree, bundle)
  checkContinuation(environment.policy, continues, psks, groupContext, group.tree)

  const secrets = deriveEpochSecrets(crypto, memberSecret, groupContext)
  try {
    checkConfirmationTag(crypto, secrets, groupContext.confirmedTranscriptHash, tag)
    const pathKeys =
      pathSecret === undefined
        ? new Map()
        : await keysFromWelcome(crypto, group.tree, leafIndex, groupInfo.signer, pathSecret)
    const keys = new Map([[0, useLeafKey(bundle)], ...pathKeys])
    return {
      environment,
      crypto,
      public: group,
      leafIndex,
      signer: bundle.signer,
      ...beginEpoch(crypto, secrets, group.tree.leafCount, leafIndex),
      privateTree: new PrivateTree(leafIndex, keys),
      confirmationTag: tag,
      updates: [],
      history: newHistory(environment),
    }
  } catch (error) {
    wipeEpochSecrets(secrets)
    throw error
  }
}

/** Takes what a joined group needs of a bundle, which is used up unless it is one of last resort. */
function useLeafKey({ initKey, leafKey, lastResort }: KeyPackageBundle): HpkeKeyPair {
  if (lastResort) return { ...leafKey, privateKey: leafKey.privateKey.copy() }
  initKey.privateKey.wipe()
  return leafKey
}

function newHistory({ retention }: GroupEnvironment): History {
  return new History(retention ?? defaultRetention)
}

/** @throws MlsError `welcome-own-leaf-missing` */
function ownLeaf(tree: PublicTree, { keyPackage }: KeyPackageBundle): LeafIndex {
  const { signatureKey, signature, encryptionKey } = keyPackage.leafNode
  const leafIndex = tree.keys.memberWithSignatureKey(signatureKey)
  const found = leafIndex === undefined ? undefined : tree.leafNode(leafIndex)
  if (
    leafIndex === undefined ||
    found === undefined ||
    !equalBytes(found.signature, signature) ||
    !equalBytes(found.encryptionKey, encryptionKey)
  ) {
    throw new MlsError('welcome-own-leaf-missing', 'our leaf is not in the tree')
  }
  return leafIndex
}

/** @throws MlsError `suite-unsupported` */
export function suiteOf(environment: GroupEnvironment, id: number): SecretSuite {
  const crypto = environment.crypto.secretSuite(id)
  if (crypto === undefined) throw new MlsError('suite-unsupported', `no cipher suite ${id}`)
  return crypto
}
