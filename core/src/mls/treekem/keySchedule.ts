import { type Bytes, emptyBytes, utf8 } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { deriveSecret, expandWithLabel } from '../../crypto/secret/labels.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { HpkeKeyPair, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import { GroupContext } from '../../wire/groupContext.ts'

/*
 * RFC 9420 §8
 *
 *                     init_secret_[n-1]
 *                           |
 *     commit_secret --> KDF.Extract
 *                           |
 *                   ExpandWithLabel(., "joiner", GroupContext_[n], KDF.Nh)
 *                           |
 *                     joiner_secret
 *                           |
 * psk_secret (or 0) --> KDF.Extract
 *                           |
 *                           +--> DeriveSecret(., "welcome") = welcome_secret
 *                           |
 *                   ExpandWithLabel(., "epoch", GroupContext_[n], KDF.Nh)
 *                           |
 *                     epoch_secret --> DeriveSecret(., <label>) = <secret>
 */

const epochLabels = {
  initSecret: 'init',
  senderDataSecret: 'sender data',
  encryptionSecret: 'encryption',
  exporterSecret: 'exporter',
  externalSecret: 'external',
  confirmationKey: 'confirm',
  membershipKey: 'membership',
  resumptionPsk: 'resumption',
  epochAuthenticator: 'authentication',
  /** draft-ietf-mls-extensions, "Exported Secrets" */
  applicationExportSecret: 'application_export',
} as const

/** The secrets of one epoch, owned by whoever holds this value. */
export type EpochSecrets = Readonly<Record<keyof typeof epochLabels, Secret>>

export function deriveJoinerSecret(
  crypto: SecretSuite,
  initSecret: Secret,
  commitSecret: Secret,
  context: GroupContext,
): Secret {
  const extracted = new Secret(crypto.extract(initSecret.expose(), commitSecret.expose()))
  try {
    return expandWithLabel(
      crypto,
      extracted,
      'joiner',
      encode(GroupContext, context),
      crypto.suite.Nh,
    )
  } finally {
    extracted.wipe()
  }
}

/** The value between joiner_secret and epoch_secret, from which welcome_secret comes too. */
export function deriveMemberSecret(
  crypto: SecretSuite,
  joinerSecret: Secret,
  pskSecret: Secret,
): Secret {
  return new Secret(crypto.extract(joinerSecret.expose(), pskSecret.expose()))
}

export function deriveWelcomeSecret(crypto: SecretSuite, memberSecret: Secret): Secret {
  return deriveSecret(crypto, memberSecret, 'welcome')
}

export function deriveEpochSecrets(
  crypto: SecretSuite,
  memberSecret: Secret,
  context: GroupContext,
): EpochSecrets {
  const epochSecret = expandWithLabel(
    crypto,
    memberSecret,
    'epoch',
    encode(GroupContext, context),
    crypto.suite.Nh,
  )
  try {
    return deriveFromEpochSecret(crypto, epochSecret)
  } finally {
    epochSecret.wipe()
  }
}

/** §11: a founder draws epoch_secret at random. */
export function deriveFromEpochSecret(crypto: SecretSuite, epochSecret: Secret): EpochSecrets {
  return Object.fromEntries(
    Object.entries(epochLabels).map(([name, label]) => [
      name,
      deriveSecret(crypto, epochSecret, label),
    ]),
  ) as EpochSecrets
}

export function wipeEpochSecrets(secrets: Partial<EpochSecrets>): void {
  for (const secret of Object.values(secrets)) secret.wipe()
}

/** §12.4.3.1: the key and nonce of a Welcome's encrypted GroupInfo. */
export function welcomeKeyAndNonce(
  crypto: SecretSuite,
  welcomeSecret: Secret,
): { key: Secret; nonce: Secret } {
  const { Nk, Nn } = crypto.suite
  return {
    key: expandWithLabel(crypto, welcomeSecret, 'key', emptyBytes, Nk),
    nonce: expandWithLabel(crypto, welcomeSecret, 'nonce', emptyBytes, Nn),
  }
}

/** §8.2: `MAC(confirmation_key, confirmed_transcript_hash)` */
export function confirmationTag(
  crypto: SecretSuite,
  { confirmationKey }: Pick<EpochSecrets, 'confirmationKey'>,
  confirmedTranscriptHash: Bytes,
): Bytes {
  return crypto.mac(confirmationKey.expose(), confirmedTranscriptHash)
}

/** §8.3: what a newcomer's commit agrees on a secret with. The private key is the caller's to wipe. */
export function deriveExternalKey(
  crypto: SecretSuite,
  { externalSecret }: Pick<EpochSecrets, 'externalSecret'>,
): Promise<HpkeKeyPair> {
  return crypto.deriveKeyPair(externalSecret)
}

/** §8.3: the HPKE exporter's context for an external commit's init secret. */
export const externalInitContext = utf8('MLS 1.0 external init secret')

/** §8.5: MLS-Exporter */
export function exportSecret(
  crypto: SecretSuite,
  { exporterSecret }: Pick<EpochSecrets, 'exporterSecret'>,
  label: string,
  context: Bytes,
  length: number,
): Secret {
  const derived = deriveSecret(crypto, exporterSecret, label)
  try {
    return expandWithLabel(crypto, derived, 'exported', crypto.hash(context), length)
  } finally {
    derived.wipe()
  }
}
