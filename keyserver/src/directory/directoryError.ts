import { ConclaveError } from '@conclave/core'

/** Rules for published KeyPackages, beside those of MLS and of meetings: a refusal's `detail`. */
export type DirectoryErrorCode =
  /** Of a cipher suite that the keyserver does not know. */
  | 'key-package-suite-unsupported'
  /** The credential names somebody else than the access token. */
  | 'key-package-identity-mismatch'
  /** KeyPackages that are published together are of one device. */
  | 'key-package-device-mismatch'
  /** Good for longer than a directory keeps one. */
  | 'key-package-lifetime-too-long'
  /** Over before anybody could use it. */
  | 'key-package-lifetime-too-short'
  /** The last resort is marked as one (draft-ietf-mls-extensions), and nothing else is. */
  | 'key-package-last-resort-mismatch'

export class DirectoryError extends ConclaveError<DirectoryErrorCode> {
  override readonly name = 'DirectoryError'
}
