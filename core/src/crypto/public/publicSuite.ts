import type { Bytes } from '../../codec/bytes.ts'
import type { CipherSuite } from './cipherSuite.ts'

/**
 * Whether a signature is met again, as those of leaves, KeyPackages and certificates are and those of
 * messages are not. Only what recurs is worth remembering.
 */
export type Occurrence = 'once' | 'recurring'

export interface SignedBytes {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
  /** `once` unless told. */
  readonly occurs?: Occurrence | undefined
}

/** A cipher suite's operations that need no secret: all that a delivery service ever does. */
export interface PublicSuite {
  readonly suite: CipherSuite
  hash(data: Uint8Array): Bytes
  /** False for a bad signature and for a key or signature that is malformed; never throws for either. */
  verify(
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    occurs?: Occurrence,
  ): Promise<boolean>
  /**
   * `verify` for many at once, side by side where the platform can: a joiner checks a signature for
   * every leaf. The results follow the order of `signed`.
   */
  verifyAll(signed: readonly SignedBytes[]): Promise<readonly boolean[]>
}

/** Where suites come from: a platform's implementation of all that it supports. */
export interface PublicCrypto {
  publicSuite(id: number): PublicSuite | undefined
}
