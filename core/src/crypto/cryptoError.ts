import { ConclaveError } from '../error.ts'

export type CryptoErrorCode =
  /** A key has the wrong length or form, or is a low-order point. */
  | 'crypto-invalid-key'
  /** A ciphertext did not authenticate. */
  | 'crypto-open-failed'
  /** More output was asked of a KDF than it has: 255 times the size of its hash. */
  | 'crypto-output-too-long'
  /** A secret was used after it had been wiped. */
  | 'crypto-secret-wiped'

export class CryptoError extends ConclaveError<CryptoErrorCode> {
  override readonly name = 'CryptoError'
}

export function openFailed(cause: unknown): CryptoError {
  return new CryptoError('crypto-open-failed', 'the ciphertext did not authenticate', { cause })
}
