import { type Bytes, fromUtf8, utf8 } from '../codec/bytes.ts'
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
 *
 * struct {
 *     opaque meeting_id<V>;
 *     opaque group_id<V>;
 *     opaque ref<V>;
 *     opaque welcome<V>;
 *     uint64 seq;
 * } Mail;
 *
 * Mail mail<V>;
 *
 * opaque KeyPackageMessage<V>;
 * KeyPackageMessage key_packages<V>;
 */

/** One message of a group's log. Sequence numbers start at 1 and have no gaps. */
export interface LogEntry {
  readonly seq: number
  /** MLSMessage with a PublicMessage holding a proposal or a commit, or a VoidEntry (entryStatus.ts). */
  readonly message: Bytes
}

export interface WaitingJoiner {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly ref: Bytes
  /** MLSMessage with a KeyPackage. */
  readonly keyPackage: Bytes
}

/** A Welcome that waits for a device that was added while it was away. */
export interface Mail {
  readonly meetingId: string
  readonly groupId: Bytes
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly ref: Bytes
  /** MLSMessage with a Welcome. */
  readonly welcome: Bytes
  /** The entry of the commit that added the device. */
  readonly seq: number
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
const Mails = vector(
  struct({
    meetingId: opaque(256),
    groupId: opaque(256),
    ref: opaque(256),
    welcome: opaque(),
    seq: safeSeq,
  }),
  maxItems,
)
const KeyPackages = vector(opaque(), maxItems)

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

export function packMail(mail: readonly Mail[]): Bytes {
  return encode(
    Mails,
    mail.map((one) => ({ ...one, meetingId: utf8(one.meetingId) })),
  )
}

/** @throws CodecError */
export function unpackMail(packed: Bytes): readonly Mail[] {
  return decode(Mails, packed).map((one) => {
    const meetingId = fromUtf8(one.meetingId)
    if (meetingId === undefined) throw new CodecError('codec-unknown-case', 'a meeting id is UTF-8')
    return { ...one, meetingId }
  })
}

export function packKeyPackages(keyPackages: readonly Bytes[]): Bytes {
  return encode(KeyPackages, keyPackages)
}

/** @throws CodecError */
export function unpackKeyPackages(packed: Bytes): readonly Bytes[] {
  return decode(KeyPackages, packed)
}

/** The same reply or notice with its lists packed. */
export type Packed<T> = {
  [K in keyof T]: NonNullable<T[K]> extends readonly (LogEntry | WaitingJoiner | Mail | Bytes)[]
    ? Bytes
    : T[K]
}
