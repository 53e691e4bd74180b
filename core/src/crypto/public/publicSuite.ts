import type { Bytes } from '../../codec/bytes.ts'
import type { CipherSuite } from './cipherSuite.ts'

/** A cipher suite's operations that need no secret: all that a delivery service ever does. */
export interface PublicSuite {
  readonly suite: CipherSuite
  hash(data: Uint8Array): Bytes
  /** False for a bad signature and for a key or signature that is malformed; never throws for either. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>
}

/** Where suites come from: a platform's implementation of all that it supports. */
export interface PublicCrypto {
  publicSuite(id: number): PublicSuite | undefined
}
