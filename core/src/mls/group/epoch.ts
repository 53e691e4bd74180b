import { type Bytes, equalBytes } from '../../codec/bytes.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { HpkeKeyPair, SecretCrypto, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { Signer } from '../../crypto/secret/sign.ts'
import type { PreSharedKeyId } from '../../wire/proposal.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { SafeExporter } from '../application/safeExporter.ts'
import { MlsError } from '../mlsError.ts'
import type { PublicEnvironment } from '../public/policy.ts'
import type { PublicGroup } from '../public/publicGroup.ts'
import type { Padding } from '../treedem/padding.ts'
import type { MessageSecrets } from '../treedem/privateMessage.ts'
import { SecretTree } from '../treedem/secretTree.ts'
import { confirmationTag, type EpochSecrets, wipeEpochSecrets } from '../treekem/keySchedule.ts'
import type { PrivateTree } from '../treekem/privateTree.ts'
import { type History, wipeMessages } from './history.ts'
import type { FutureLimits, Retention } from './retention.ts'

/** What a member's group depends on besides its own state. */
export interface GroupEnvironment extends PublicEnvironment {
  readonly crypto: SecretCrypto
  /** Pre-shared keys that the application has agreed outside the group; they stay its own. */
  readonly preSharedKey?: (id: PreSharedKeyId) => Secret | undefined
  /** Whether this client is in a group of this id already, which a Welcome must not claim (§12.4.3.1). */
  readonly isInGroup?: (groupId: Bytes) => boolean
  /** `defaultRetention` where left out. */
  readonly retention?: Retention
  /** `defaultFutureLimits` where left out. */
  readonly futureLimits?: FutureLimits
  /** Of PrivateMessages; none where left out. */
  readonly padding?: Padding
}

/** The key schedule's secrets but for those that are used up: messages' and components'. */
export type KeptSecrets = Omit<
  EpochSecrets,
  'encryptionSecret' | 'senderDataSecret' | 'applicationExportSecret'
>

export interface OwnUpdate {
  readonly key: HpkeKeyPair
  readonly signer: Signer
}

/** All that a member holds in one epoch. Its secrets are this value's alone. */
export interface Epoch {
  readonly environment: GroupEnvironment
  readonly crypto: SecretSuite
  readonly public: PublicGroup
  readonly leafIndex: LeafIndex
  readonly signer: Signer
  readonly secrets: KeptSecrets
  readonly messages: MessageSecrets
  readonly safeExporter: SafeExporter
  readonly privateTree: PrivateTree
  readonly confirmationTag: Bytes
  /** What our leaf becomes by the Updates that we have proposed in this epoch. */
  readonly updates: readonly OwnUpdate[]
  /** Shared with the epochs before and after. */
  readonly history: History
}

/** Takes over all of an epoch's secrets: what protects messages begins to be used up at once. */
export function beginEpoch(
  crypto: SecretSuite,
  { encryptionSecret, senderDataSecret, applicationExportSecret, ...secrets }: EpochSecrets,
  leafCount: number,
  ownLeaf: LeafIndex,
): Pick<Epoch, 'secrets' | 'messages' | 'safeExporter'> {
  const secretTree = SecretTree.create(crypto, encryptionSecret, { leafCount, ownLeaf })
  const safeExporter = SafeExporter.create(crypto, applicationExportSecret)
  return { secrets, messages: { senderDataSecret, secretTree }, safeExporter }
}

/** Wipes what `kept` does not share: everything, for an epoch that nobody will have been in. */
export function wipeEpoch(epoch: Epoch, kept?: Epoch): void {
  wipeAllButMessages(epoch, kept)
  wipeMessages(epoch.messages)
}

/** Ends an epoch for the one that follows. Its message keys go into the history. */
export function retireEpoch(epoch: Epoch, next: Epoch): void {
  const { groupContext, tree } = epoch.public
  epoch.history.retire(
    { groupContext, tree, messages: epoch.messages, endedAt: epoch.environment.clock.now() },
    epoch.secrets.resumptionPsk,
  )
  wipeAllButMessages(epoch, next)
}

function wipeAllButMessages(epoch: Epoch, kept: Epoch | undefined): void {
  wipeEpochSecrets(epoch.secrets)
  epoch.safeExporter.wipe()
  epoch.privateTree.wipeAllBut(kept?.privateTree)
  for (const { key } of epoch.updates) {
    if (kept?.privateTree.isLeafKey(key) !== true) key.privateKey.wipe()
  }
}

/** @throws MlsError `commit-confirmation-tag-invalid` */
export function checkConfirmationTag(
  crypto: SecretSuite,
  secrets: Pick<EpochSecrets, 'confirmationKey'>,
  confirmedTranscriptHash: Bytes,
  tag: Bytes | undefined,
): void {
  if (
    tag === undefined ||
    !equalBytes(tag, confirmationTag(crypto, secrets, confirmedTranscriptHash))
  ) {
    throw new MlsError('commit-confirmation-tag-invalid', 'the confirmation tag does not verify')
  }
}
