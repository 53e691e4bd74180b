import { type Bytes, emptyBytes } from '../../codec/bytes.ts'
import { encode, encodeFor } from '../../codec/tls.ts'
import { EncryptContext, KdfLabel, TreeSecretContext } from '../../wire/labels.ts'
import type { HpkeCiphertext } from '../../wire/ratchetTree.ts'
import { mlsLabel } from '../public/label.ts'
import { checkOutputLength } from './kdf.ts'
import { Secret } from './secret.ts'
import type { HpkeKeyPair, HpkeRecipient, SecretSuite } from './secretSuite.ts'

/**
 * RFC 9420 §8
 * @throws CryptoError `crypto-output-too-long`
 */
export function expandWithLabel(
  crypto: SecretSuite,
  secret: Secret,
  label: string,
  context: Bytes,
  length: number,
): Secret {
  checkOutputLength(crypto.suite, length)
  return encodeFor(
    KdfLabel,
    { length, label: mlsLabel(label), context },
    (info) => new Secret(crypto.expand(secret.expose(), info, length)),
  )
}

/** RFC 9420 §8 */
export function deriveSecret(crypto: SecretSuite, secret: Secret, label: string): Secret {
  return expandWithLabel(crypto, secret, label, emptyBytes, crypto.suite.Nh)
}

/** RFC 9420 §9 */
export function deriveTreeSecret(
  crypto: SecretSuite,
  secret: Secret,
  label: string,
  generation: number,
  length: number,
): Secret {
  return expandWithLabel(crypto, secret, label, encode(TreeSecretContext, { generation }), length)
}

/**
 * RFC 9420 §5.1.3
 * @throws CryptoError `crypto-invalid-key`
 */
export function encryptWithLabel(
  crypto: SecretSuite,
  publicKey: Uint8Array,
  label: string,
  context: Bytes,
  plaintext: Uint8Array,
): Promise<HpkeCiphertext> {
  return crypto.hpkeSeal(publicKey, encryptContext(label, context), plaintext)
}

/**
 * `encryptWithLabel` for many in one context, in their order.
 * @throws CryptoError `crypto-invalid-key`
 */
export function encryptAllWithLabel(
  crypto: SecretSuite,
  label: string,
  context: Bytes,
  recipients: readonly HpkeRecipient[],
): Promise<readonly HpkeCiphertext[]> {
  return crypto.hpkeSealAll(encryptContext(label, context), recipients)
}

/**
 * RFC 9420 §5.1.3
 * @throws CryptoError `crypto-open-failed`
 */
export function decryptWithLabel(
  crypto: SecretSuite,
  key: HpkeKeyPair,
  label: string,
  context: Bytes,
  ciphertext: HpkeCiphertext,
): Promise<Bytes> {
  return crypto.hpkeOpen(key, encryptContext(label, context), ciphertext)
}

function encryptContext(label: string, context: Bytes): Bytes {
  return encode(EncryptContext, { label: mlsLabel(label), context })
}
