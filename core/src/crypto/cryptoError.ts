import { ConclaveError } from '../error.ts'

export type CryptoErrorCode =
  /** A key has the wrong length or form, or is a low-order point. */
  | 'crypto-invalid-key'
  /** A ciphertext did not authenticate. */
  | 'crypto-open-failed'
  /** A secret was used after it had been wiped. */
  | 'crypto-secret-wiped'

export class CryptoError extends ConclaveError<CryptoErrorCode> {
  override readonly name = 'CryptoError'
}
