import { ConclaveError } from '../error.ts'

export type AccessErrorCode =
  | 'access-keys-required'
  | 'access-secret-weak'
  | 'url-invalid'
  | 'insecure-url'
  | 'token-missing'
  | 'token-malformed'
  | 'token-signature'
  | 'token-expired'
  | 'token-wrong-meeting'
  | 'token-grant-missing'

/**
 * Why a server would not start, a client would not connect, or a server turned a client away. The `token-*` codes are what a
 * client is told; their messages never contain the token.
 */
export class AccessError extends ConclaveError<AccessErrorCode> {
  override readonly name = 'AccessError'
}
