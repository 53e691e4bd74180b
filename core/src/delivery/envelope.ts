import type { Bytes } from '../codec/bytes.ts'
import { encode, type Infer, opaque, struct, uint32, uint64 } from '../codec/tls.ts'

/**
 * The authenticated_data of every commit: what its sender had seen of the log, so that nobody can
 * pretend not to have known of a removal.
 *
 * struct {
 *     uint64 seen_seq;
 * } CommitEnvelope;
 */
export const CommitEnvelope = struct({ seenSeq: uint64 })
export type CommitEnvelope = Infer<typeof CommitEnvelope>

/**
 * What a member signs with its leaf's key under the label "ConclavePresence" to attach a connection
 * to its leaf. The nonce is the keyserver's, so a recorded signature attaches nobody.
 *
 * struct {
 *     opaque group_id<V>;
 *     uint32 leaf_index;
 *     opaque nonce<V>;
 * } PresenceTBS;
 */
const PresenceTbs = struct({ groupId: opaque(), leafIndex: uint32, nonce: opaque() })

export const presenceLabel = 'ConclavePresence'

export function presenceTbs(groupId: Bytes, leafIndex: number, nonce: Bytes): Bytes {
  return encode(PresenceTbs, { groupId, leafIndex, nonce })
}
