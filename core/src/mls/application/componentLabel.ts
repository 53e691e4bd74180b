import { type Bytes, concatBytes, utf8 } from '../../codec/bytes.ts'
import { encode, opaque, struct } from '../../codec/tls.ts'
import { mlsLabel } from '../../crypto/public/label.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { HpkeKeyPair, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { Signer } from '../../crypto/secret/sign.ts'
import { EncryptContext, SignContent } from '../../wire/labels.ts'
import type { HpkeCiphertext } from '../../wire/ratchetTree.ts'
import { ComponentId } from '../public/appDataDictionary.ts'

/*
 * draft-ietf-mls-extensions, "Component IDs"
 *
 * struct {
 *     opaque base_label<V>; // = "MLS Component"
 *     ComponentID component_id;
 *     opaque label<V>;
 * } ComponentOperationLabel;
 */
const ComponentOperationLabel = struct({
  baseLabel: opaque(),
  componentId: ComponentId,
  label: opaque(),
})

/**
 * What a component does with the keys of a group: `label` says it within the component, so that no
 * component's signatures and ciphertexts pass for another's or for those of MLS.
 */
export interface ComponentOperation {
  readonly componentId: number
  readonly label: string
}

/** The label as signing and encrypting take it. It is no text, so that theirs do not. */
function prefixedLabel({ componentId, label }: ComponentOperation): Bytes {
  const operation = { baseLabel: utf8('MLS Component'), componentId, label: utf8(label) }
  return concatBytes(mlsLabel(''), encode(ComponentOperationLabel, operation))
}

/** draft-ietf-mls-extensions, "Signature Keys": SafeSignWithLabel */
export function safeSignWithLabel(
  signer: Signer,
  operation: ComponentOperation,
  content: Bytes,
): Promise<Bytes> {
  return signer.sign(encode(SignContent, { label: prefixedLabel(operation), content }))
}

/** draft-ietf-mls-extensions, "Signature Keys": SafeVerifyWithLabel */
export function safeVerifyWithLabel(
  crypto: PublicSuite,
  publicKey: Bytes,
  operation: ComponentOperation,
  content: Bytes,
  signature: Bytes,
): Promise<boolean> {
  const signed = encode(SignContent, { label: prefixedLabel(operation), content })
  return crypto.verify(publicKey, signed, signature)
}

/**
 * draft-ietf-mls-extensions, "Hybrid Public Key Encryption (HPKE) Keys": SafeEncryptWithLabel
 * @throws CryptoError `crypto-invalid-key`
 */
export function safeEncryptWithLabel(
  crypto: SecretSuite,
  publicKey: Bytes,
  operation: ComponentOperation,
  context: Bytes,
  plaintext: Bytes,
): Promise<HpkeCiphertext> {
  return crypto.hpkeSeal(publicKey, encryptContext(operation, context), plaintext)
}

/**
 * draft-ietf-mls-extensions, "Hybrid Public Key Encryption (HPKE) Keys": SafeDecryptWithLabel
 * @throws CryptoError `crypto-open-failed`
 */
export function safeDecryptWithLabel(
  crypto: SecretSuite,
  key: HpkeKeyPair,
  operation: ComponentOperation,
  context: Bytes,
  ciphertext: HpkeCiphertext,
): Promise<Bytes> {
  return crypto.hpkeOpen(key, encryptContext(operation, context), ciphertext)
}

function encryptContext(operation: ComponentOperation, context: Bytes): Bytes {
  return encode(EncryptContext, { label: prefixedLabel(operation), context })
}
