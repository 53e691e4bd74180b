import type { Bytes } from '../codec/bytes.ts'
import { CodecError } from '../codec/codecError.ts'
import {
  decode,
  encode,
  type Infer,
  oneOf,
  opaque,
  struct,
  uint8,
  uint16,
  uint32,
  uint64,
  vector,
} from '../codec/tls.ts'
import type { PublicSuite } from '../crypto/public/publicSuite.ts'
import { verifyWithLabel } from '../crypto/public/verifyWithLabel.ts'
import type { EntryStatusName } from './protocol.ts'

/**
 * How a member fared with the commit at the log's end, signed with its leaf's key under the label
 * "ConclaveEntryStatus": by who could not apply it with the key of the epoch before, by who could
 * with that of the epoch after.
 *
 * struct {
 *     opaque group_id<V>;
 *     uint64 seq;
 *     opaque entry_hash<V>;      // the cipher suite's hash of the entry's message
 *     uint32 leaf_index;
 *     uint8 status;              // 1 applied, 2 failed
 * } EntryStatusTBS;
 */
const EntryStatusTbs = struct({
  groupId: opaque(256),
  seq: uint64,
  entryHash: opaque(256),
  leafIndex: uint32,
  status: uint8,
})

export const entryStatusLabel = 'ConclaveEntryStatus'

const statusByName = { applied: 1, failed: 2 } as const

export interface EntryStatusClaim {
  readonly groupId: Bytes
  readonly seq: number
  /** The cipher suite's hash of the entry's message. */
  readonly entryHash: Bytes
  readonly leafIndex: number
  readonly status: EntryStatusName
}

/** What a member signs under `entryStatusLabel`. */
export function entryStatusTbs({ seq, status, ...claim }: EntryStatusClaim): Bytes {
  return encode(EntryStatusTbs, { ...claim, seq: BigInt(seq), status: statusByName[status] })
}

/** Whether `signature` is by the key of the leaf that the claim names. */
export function verifyEntryStatus(
  crypto: PublicSuite,
  signatureKey: Uint8Array,
  claim: EntryStatusClaim,
  signature: Uint8Array,
): Promise<boolean> {
  return verifyWithLabel(crypto, signatureKey, entryStatusLabel, entryStatusTbs(claim), signature)
}

/**
 * The entry that undoes the commit before it, with the signed word of everyone connected that it
 * could not be applied. It is no MLSMessage: those begin with their ProtocolVersion, and no version
 * of MLS has this number.
 *
 * struct {
 *     uint32 leaf_index;
 *     opaque signature<V>;
 * } FailedStatus;
 *
 * struct {
 *     uint16 kind = 0xF000;
 *     uint64 seq;                // the commit's
 *     FailedStatus statuses<V>;
 * } VoidEntry;
 */
const voidKind = 0xf000
export const VoidEntry = struct({
  kind: oneOf(uint16, [voidKind]),
  seq: uint64,
  statuses: vector(struct({ leafIndex: uint32, signature: opaque(256) }), 4096),
})
export type VoidEntry = Infer<typeof VoidEntry>

export function encodeVoid(seq: number, statuses: VoidEntry['statuses']): Bytes {
  return encode(VoidEntry, { kind: voidKind, seq: BigInt(seq), statuses })
}

/** The VoidEntry that an entry of the log is, or undefined where it is something else. */
export function readVoid(message: Bytes): VoidEntry | undefined {
  // Nearly no entry is one, and every member asks of every entry: no error is made for it.
  const [high = 0, low = 0] = message
  if (256 * high + low !== voidKind) return undefined
  try {
    return decode(VoidEntry, message)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}
