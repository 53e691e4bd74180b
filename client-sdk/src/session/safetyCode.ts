import {
  type Bytes,
  CodecError,
  decode,
  encode,
  equalBytes,
  fromHex,
  type Infer,
  opaque,
  struct,
  toHex,
  uint64,
  utf8,
} from '@conclave/core/codec'
import type { Group } from '@conclave/core/mls/group'
import { digitsOf } from './digits.ts'
import { SessionError } from './sessionError.ts'

/** What people compare to see that they are in the same meeting, with the same members and keys. */
export interface SafetyCode {
  /** Codes of different epochs differ always. */
  readonly epoch: bigint
  /** 30 decimal digits in groups of five, to be read to each other. */
  readonly digits: string
  /**
   * The same, and all of it, for the others' `compareSafetyCode`: ASCII of QR's alphanumeric mode,
   * about 225 characters. It names the meeting by a hash alone.
   */
  readonly qr: string
}

/** What a scanned safety code says about its meeting and ours. */
export type SafetyCodeComparison =
  /** Its device has the same members and keys. */
  | 'same'
  /** Another group under the meeting's name, or another history: somebody stands between. */
  | 'different'
  /** The meeting has gone on, here or there: to be scanned again. */
  | 'other-epoch'
  | 'other-meeting'

/**
 * struct {
 *     opaque meeting_id_hash<V>;
 *     opaque group_id_hash<V>;
 *     uint64 epoch;
 *     opaque epoch_authenticator<V>;
 * } SafetyCodeData;
 */
const SafetyCodeData = struct({
  meetingIdHash: opaque(64),
  groupIdHash: opaque(64),
  epoch: uint64,
  epochAuthenticator: opaque(64),
})
type SafetyCodeData = Infer<typeof SafetyCodeData>

const LabelledId = struct({ label: opaque(), id: opaque() })
const meetingLabel = utf8('Conclave 1.0 SafetyCodeMeeting')
const groupLabel = utf8('Conclave 1.0 SafetyCodeGroup')

const version = 1
// Upper-case hexadecimal stays in QR's alphanumeric mode, where base64url does not.
const form = /^CONCLAVE:(\d{1,5}):((?:[0-9A-F]{2})+)$/
const maxLength = 1024

/**
 * The epoch authenticator (RFC 9420 §8.7) as people compare it: equal digits mean equal views of
 * the whole group in this epoch.
 */
export function safetyCodeOf(
  { groupId, epoch, epochAuthenticator, public: { crypto } }: Group,
  meetingId: string,
): SafetyCode {
  const hashed = (label: Bytes, id: Bytes) => crypto.hash(encode(LabelledId, { label, id }))
  const data = encode(SafetyCodeData, {
    meetingIdHash: hashed(meetingLabel, utf8(meetingId)),
    // Nobody keeps a hostile founder from choosing a long one.
    groupIdHash: hashed(groupLabel, groupId),
    epoch,
    epochAuthenticator,
  })
  return {
    epoch,
    digits: digitsOf(epochAuthenticator),
    qr: `CONCLAVE:${version}:${toHex(data).toUpperCase()}`,
  }
}

/**
 * Compares the QR data of two safety codes, authenticators in constant time.
 * @throws SessionError `safety-code-invalid` where `scanned` is none
 */
export function compareSafetyCodes(own: SafetyCode, scanned: string): SafetyCodeComparison {
  const here = read(own.qr)
  const there = read(scanned)
  if (!equalBytes(here.meetingIdHash, there.meetingIdHash)) return 'other-meeting'
  // A meeting has one group at a time.
  if (!equalBytes(here.groupIdHash, there.groupIdHash)) return 'different'
  if (here.epoch !== there.epoch) return 'other-epoch'
  return equalBytes(here.epochAuthenticator, there.epochAuthenticator) ? 'same' : 'different'
}

function read(qr: string): SafetyCodeData {
  const [, its, data] = (qr.length <= maxLength && form.exec(qr)) || []
  if (its === undefined || data === undefined) throw invalid('this is no safety code')
  if (its !== String(version)) {
    throw invalid('the safety code is of another version', { remedy: 'Update the older app.' })
  }
  try {
    return decode(SafetyCodeData, fromHex(data))
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause
    throw invalid('the safety code is damaged', { cause })
  }
}

function invalid(
  message: string,
  options: { readonly cause?: unknown; readonly remedy?: string } = {},
): SessionError {
  return new SessionError('safety-code-invalid', message, {
    remedy: 'Scan the code that the other device shows now.',
    ...options,
  })
}
