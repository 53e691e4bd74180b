import { ConclaveError } from '../error.ts'

export type CodecErrorCode =
  /** The input ends inside a value. */
  | 'codec-truncated'
  /** Bytes follow a complete value. */
  | 'codec-trailing-bytes'
  /** A length is not in its shortest form, or has the reserved prefix (RFC 9420 §2.1.2). */
  | 'codec-bad-length'
  /** A value is longer than its declaration allows. */
  | 'codec-too-long'
  /** A tag names no known case, or an enumerated value is not one of the declared ones. */
  | 'codec-unknown-case'
  /** The caller gave a value that has no encoding. */
  | 'codec-unencodable'

export class CodecError extends ConclaveError<CodecErrorCode> {
  override readonly name = 'CodecError'
}
