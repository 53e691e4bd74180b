import type { SignedBytes } from '../../core/src/crypto/public/index.ts'

type Source = Uint8Array
type Soon<T> = T | Promise<T>

export interface KemKey {
  readonly publicKey: Source
}

export interface Sealed {
  readonly kemOutput: Source
  readonly ciphertext: Source
}

/**
 * What the floor is made of: suite 1 by the shortest way through one platform, of which nothing is
 * shared with core's providers, so that the floor does not rise when they become slower.
 */
export interface Primitives<SigningKey, VerifyingKey, OwnKey extends KemKey> {
  signatureKey(seed: Source): Soon<SigningKey>
  sign(key: SigningKey, message: Source): Soon<Source>
  /** A signature public key that is met for the first time. */
  verificationKey(publicKey: Source): Soon<VerifyingKey>
  verify(key: VerifyingKey, message: Source, signature: Source): Soon<boolean>
  /** Whether all are valid: in each group signatures of one key, which is met for the first time. */
  verifyAll(groups: readonly (readonly SignedBytes[])[]): Soon<boolean>
  /** HKDF-Extract */
  extract(salt: Source, inputKey: Source): Source
  /** HKDF-Expand for 32 bytes. */
  expand(key: Source, info: Source): Source
  mac(key: Source, data: Source): Source
  aeadSeal(key: Source, nonce: Source, aad: Source, plaintext: Source): Soon<Source>
  aeadOpen(key: Source, nonce: Source, aad: Source, ciphertext: Source): Soon<Source>
  /** RFC 9180 §7.1.3 */
  deriveKeyPair(inputKey: Source): Soon<OwnKey>
  /** RFC 9180 §6.1, base mode */
  hpkeSeal(publicKey: Source, info: Source, plaintext: Source): Soon<Sealed>
  hpkeOpen(recipient: OwnKey, info: Source, sealed: Sealed): Soon<Source>
  /** RFC 9420 §8.3: what an external committer agrees on with the group. */
  hpkeSealExport(publicKey: Source, exporterContext: Source): Soon<Source>
}
