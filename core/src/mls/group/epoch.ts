import type { Bytes } from '../../codec/bytes.ts'
import { equalBytes } from '../../codec/bytes.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { SecretCrypto, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { Signer } from '../../crypto/secret/sign.ts'
import type { PreSharedKeyId } from '../../wire/proposal.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import type { PublicEnvironment } from '../public/policy.ts'
import type { PublicGroup } from '../public/publicGroup.ts'
import { confirmationTag, type EpochSecrets, wipeEpochSecrets } from '../treekem/keySchedule.ts'
import type { PrivateTree } from '../treekem/privateTree.ts'

/** What a member's group depends on besides its own state. */
export interface GroupEnvironment extends PublicEnvironment {
  readonly crypto: SecretCrypto
  /** Pre-shared keys that the application has agreed outside the group. */
  readonly preSharedKey?: (id: PreSharedKeyId) => Secret | undefined
}

/** All that a member holds in one epoch. Its secrets are this value's alone. */
export interface Epoch {
  readonly environment: GroupEnvironment
  readonly crypto: SecretSuite
  readonly public: PublicGroup
  readonly leafIndex: LeafIndex
  readonly signer: Signer
  readonly secrets: EpochSecrets
  readonly privateTree: PrivateTree
  readonly confirmationTag: Bytes
}

/** Wipes what `next` does not share: everything, for an epoch that has no successor. */
export function wipeEpoch(epoch: Epoch, next?: Epoch): void {
  wipeEpochSecrets(epoch.secrets)
  epoch.privateTree.wipeAllBut(next?.privateTree)
}

/** @throws MlsError `commit-confirmation-tag-invalid` */
export function checkConfirmationTag(
  crypto: SecretSuite,
  secrets: EpochSecrets,
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

/** @throws MlsError `commit-psk-missing` */
export function preSharedKeys(environment: GroupEnvironment, ids: readonly PreSharedKeyId[]) {
  return ids.map((id) => {
    const key = environment.preSharedKey?.(id)
    if (key === undefined) throw new MlsError('commit-psk-missing', 'a pre-shared key is missing')
    return { id, key }
  })
}
