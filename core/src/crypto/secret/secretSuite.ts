import type { Bytes } from '../../codec/bytes.ts'
import type { HpkeCiphertext } from '../../wire/ratchetTree.ts'
import type { PublicCrypto, PublicSuite } from '../public/publicSuite.ts'
import type { Secret } from './secret.ts'
import type { Signer } from './sign.ts'

/** An HPKE key pair, serialised as RFC 9180 §7.1 says. */
export interface HpkeKeyPair {
  readonly privateKey: Secret
  readonly publicKey: Bytes
}

/** What is sealed to whom. */
export interface HpkeRecipient {
  readonly publicKey: Uint8Array
  readonly plaintext: Uint8Array
}

/**
 * A cipher suite's operations on secrets. Hash, KDF and MAC are synchronous; HPKE, signatures and
 * AEAD are promises, since the fastest implementation of a platform may be asynchronous.
 */
export interface SecretSuite extends PublicSuite {
  /** HKDF-Extract */
  extract(salt: Uint8Array, inputKey: Uint8Array): Bytes
  /**
   * HKDF-Expand
   * @throws CryptoError `crypto-output-too-long` beyond 255 · Nh bytes
   */
  expand(pseudorandomKey: Uint8Array, info: Uint8Array, length: number): Bytes
  mac(key: Uint8Array, data: Uint8Array): Bytes
  aeadSeal(key: Secret, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Promise<Bytes>
  /** @throws CryptoError `crypto-open-failed` */
  aeadOpen(key: Secret, nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Promise<Bytes>
  /** RFC 9180 DeriveKeyPair */
  deriveKeyPair(inputKey: Secret): Promise<HpkeKeyPair>
  /**
   * RFC 9180 SealBase with an empty `aad`.
   * @throws CryptoError `crypto-invalid-key`
   */
  hpkeSeal(publicKey: Uint8Array, info: Bytes, plaintext: Uint8Array): Promise<HpkeCiphertext>
  /**
   * `hpkeSeal` for many under one `info`, which is hashed once: a Welcome's is a whole GroupInfo.
   * The results follow the order of `recipients`.
   * @throws CryptoError `crypto-invalid-key`
   */
  hpkeSealAll(info: Bytes, recipients: readonly HpkeRecipient[]): Promise<readonly HpkeCiphertext[]>
  /**
   * RFC 9180 OpenBase with an empty `aad`.
   * @throws CryptoError `crypto-open-failed`
   */
  hpkeOpen(key: HpkeKeyPair, info: Bytes, ciphertext: HpkeCiphertext): Promise<Bytes>
  /**
   * RFC 9180 SendExportBase, with which an external commit agrees on a secret with the group
   * (RFC 9420 §8.3).
   * @throws CryptoError `crypto-invalid-key`
   */
  hpkeSealExport(
    publicKey: Uint8Array,
    info: Bytes,
    exporterContext: Bytes,
    length: number,
  ): Promise<{ kemOutput: Bytes; exported: Secret }>
  /**
   * RFC 9180 ReceiveExportBase.
   * @throws CryptoError `crypto-open-failed` where `kemOutput` is no public key
   */
  hpkeOpenExport(
    key: HpkeKeyPair,
    kemOutput: Uint8Array,
    info: Bytes,
    exporterContext: Bytes,
    length: number,
  ): Promise<Secret>
  /** @throws CryptoError `crypto-invalid-key` where `random` gives no key in 256 draws */
  generateSigner(): Promise<Signer>
  /** @throws CryptoError `crypto-invalid-key` */
  importSigner(privateKey: Secret): Promise<Signer>
  random(length: number): Bytes
}

export interface SecretCrypto extends PublicCrypto {
  secretSuite(id: number): SecretSuite | undefined
}
