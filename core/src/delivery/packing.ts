import type { Bytes } from '../codec/bytes.ts'
import { CodecError } from '../codec/codecError.ts'
import { type Codec, decode, encode, opaque, struct, uint64, vector } from '../codec/tls.ts'

/*
 * Lists of messages travel as one byte string: socket.io sends every byte string in a frame of its
 * own, and takes a packet with more than ten of them for an attack.
 *
 * struct {
 *     uint64 seq;
 *     opaque message<V>;
 * } LogEntry;
 *
 * LogEntry entries<V>;
 *
 * struct {
 *     opaque ref<V>;
 *     opaque key_package<V>;
 * } WaitingJoiner;
 *
 * WaitingJoiner joiners<V>;
 */

/** One message of a group's log. Sequence numbers start at 1 and have no gaps. */
export interface LogEntry {
  readonly seq: number
  /** MLSMessage with a PublicMessage holding a proposal or a commit. */
  readonly message: Bytes
}

export interface WaitingJoiner {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly ref: Bytes
  /** MLSMessage with a KeyPackage. */
  readonly keyPackage: Bytes
}

/** What a list of entries or joiners may come to, in bytes. */
export const maxPackedBytes = 8 << 20
/** A page of the log ends before the entry that would bring it beyond this, in bytes. */
export const maxPageBytes = 4 << 20

const maxItems = 4096

const safeSeq: Codec<number> = {
  write: (value, to) => uint64.write(BigInt(value), to),
  read: (from) => {
    const seq = Number(uint64.read(from))
    if (!Number.isSafeInteger(seq))
      throw new CodecError('codec-too-long', `no log has entry ${seq}`)
    return seq
  },
}
const Entries = vector(struct({ seq: safeSeq, message: opaque() }), maxItems)
const Joiners = vector(struct({ ref: opaque(), keyPackage: opaque() }), maxItems)

export function packEntries(entries: readonly LogEntry[]): Bytes {
  return encode(Entries, entries)
}

/** @throws CodecError */
export function unpackEntries(packed: Bytes): readonly LogEntry[] {
  return decode(Entries, packed)
}

export function packJoiners(joiners: readonly WaitingJoiner[]): Bytes {
  return encode(Joiners, joiners)
}

/** @throws CodecError */
export function unpackJoiners(packed: Bytes): readonly WaitingJoiner[] {
  return decode(Joiners, packed)
}

/** The same reply or notice with its lists packed. */
export type Packed<T> = {
  [K in keyof T]: NonNullable<T[K]> extends readonly (LogEntry | WaitingJoiner)[] ? Bytes : T[K]
}
