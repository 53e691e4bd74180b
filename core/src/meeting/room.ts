import { type Bytes, toHex, utf8 } from '../codec/bytes.ts'
import { CodecError } from '../codec/codecError.ts'
import {
  decode,
  encode,
  fixedOpaque,
  type Infer,
  opaque,
  struct,
  uint64,
  vector,
} from '../codec/tls.ts'
import type { PublicSuite } from '../crypto/public/publicSuite.ts'
import type { PreSharedKeyId } from '../wire/proposal.ts'
import { PskType, ResumptionPskUsage } from '../wire/registry.ts'
import { roomIdOf } from './roomId.ts'

const idBytes = 16
const hashBytes = 32
/** People who are called into one room: as many as the message that calls them has room for. */
export const maxCalled = 384

/**
 * What a breakout room is opened as. Its hash is part of the room's meeting id and so of its
 * GroupContext: nobody changes who is called, and a room of one group of the meeting is none of the
 * next.
 *
 * struct {
 *     opaque parent_group_id<V>;
 *     opaque nonce[16];
 *     opaque name<V>;            // UTF-8
 *     opaque called[32]<V>;      // hashes of identities: the cipher suite's, 32 bytes of it
 * } RoomDescription;
 */
export const RoomDescription = struct({
  parentGroupId: opaque(256),
  nonce: fixedOpaque(16),
  name: opaque(256),
  called: vector(fixedOpaque(hashBytes), maxCalled),
})
export type RoomDescription = Infer<typeof RoomDescription>

/** The room's meeting id. */
export function describedRoomId(
  crypto: Pick<PublicSuite, 'hash'>,
  parentMeetingId: string,
  description: RoomDescription,
): string {
  const hash = crypto.hash(encode(RoomDescription, description))
  return roomIdOf(parentMeetingId, toHex(hash.slice(0, idBytes)))
}

/** What of somebody's identity a description holds. */
export function calledHash(crypto: Pick<PublicSuite, 'hash'>, identity: Bytes): Bytes {
  return crypto.hash(identity).slice(0, hashBytes)
}

/**
 * The `psk_id` of the external pre-shared key that a room's commits carry: the exporter secret of an
 * epoch of its parent, under `roomPskLabel` and the room's meeting id.
 *
 * struct {
 *     opaque parent_group_id<V>;
 *     uint64 parent_epoch;
 * } RoomPskId;
 */
const RoomPskId = struct({ parentGroupId: opaque(256), parentEpoch: uint64 })

export const roomPskLabel = 'Conclave 1.0 Room PSK'

/** The exporter context of a room's keys. */
export function roomPskContext(roomMeetingId: string): Bytes {
  return utf8(roomMeetingId)
}

/** An epoch of a room's parent. */
export interface ParentEpoch {
  readonly parentGroupId: Bytes
  readonly parentEpoch: bigint
}

/** @param pskNonce as long as the cipher suite's hash, and fresh */
export function roomPskId(named: ParentEpoch, pskNonce: Bytes): PreSharedKeyId {
  return { pskType: PskType.external, pskId: encode(RoomPskId, named), pskNonce }
}

/** The resumption key by which a room's founder branches off its parent (RFC 9420 §11.3). */
export function branchPskId(
  { parentGroupId, parentEpoch }: ParentEpoch,
  pskNonce: Bytes,
): PreSharedKeyId {
  return {
    pskType: PskType.resumption,
    usage: ResumptionPskUsage.branch,
    pskGroupId: parentGroupId,
    pskEpoch: parentEpoch,
    pskNonce,
  }
}

/** The parent's epoch that a pre-shared key of a room is from; undefined where it is none. */
export function parentEpochOf(id: PreSharedKeyId): ParentEpoch | undefined {
  if (id.pskType === PskType.resumption) {
    if (id.usage !== ResumptionPskUsage.branch) return undefined
    return { parentGroupId: id.pskGroupId, parentEpoch: id.pskEpoch }
  }
  if (id.pskType !== PskType.external) return undefined
  try {
    return decode(RoomPskId, id.pskId)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}
