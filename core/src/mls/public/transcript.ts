import { type Bytes, concatBytes } from '../../codec/bytes.ts'
import { encodeFor } from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { FramedContent } from '../../wire/framing.ts'
import { ConfirmedTranscriptHashInput, InterimTranscriptHashInput } from '../../wire/transcript.ts'

/** A commit as the transcript sees it: signed, but not yet confirmed. */
export interface SignedCommit {
  readonly wireFormat: number
  readonly content: FramedContent
  readonly signature: Bytes
}

/** RFC 9420 §8.2: covers everything up to and including this commit. */
export function confirmedTranscriptHash(
  crypto: PublicSuite,
  interimTranscriptHash: Bytes,
  commit: SignedCommit,
): Bytes {
  return encodeFor(ConfirmedTranscriptHashInput, commit, (input) =>
    crypto.hash(concatBytes(interimTranscriptHash, input)),
  )
}

/** RFC 9420 §8.2 */
export function interimTranscriptHash(
  crypto: PublicSuite,
  confirmedTranscriptHash: Bytes,
  confirmationTag: Bytes,
): Bytes {
  return encodeFor(InterimTranscriptHashInput, { confirmationTag }, (input) =>
    crypto.hash(concatBytes(confirmedTranscriptHash, input)),
  )
}
