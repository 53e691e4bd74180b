import { ConclaveError } from '../error.ts'

export type AccessErrorCode =
  | 'access-keys-required'
  | 'access-secret-weak'
  | 'access-key-invalid'
  /** The key set cannot be fetched, so nobody's token can be checked. */
  | 'access-keys-unavailable'
  | 'url-invalid'
  | 'insecure-url'
  | 'token-missing'
  | 'token-malformed'
  | 'token-signature'
  | 'token-expired'
  | 'token-not-yet-valid'
  | 'token-wrong-meeting'
  | 'token-grant-missing'

/**
 * Why a server would not start, a client would not connect, or a server turned a client away. The `token-*` codes are what a
 * client is told; their messages never contain the token.
 */
export class AccessError extends ConclaveError<AccessErrorCode> {
  override readonly name = 'AccessError'
}
