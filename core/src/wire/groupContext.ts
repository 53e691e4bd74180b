import { type Infer, opaque, struct, uint16, uint64 } from '../codec/tls.ts'
import { Extensions } from './extension.ts'

/*
 * RFC 9420 §8.1
 *
 * struct {
 *     ProtocolVersion version = mls10;
 *     CipherSuite cipher_suite;
 *     opaque group_id<V>;
 *     uint64 epoch;
 *     opaque tree_hash<V>;
 *     opaque confirmed_transcript_hash<V>;
 *     Extension extensions<V>;
 * } GroupContext;
 */
export const GroupContext = struct({
  version: uint16,
  cipherSuite: uint16,
  groupId: opaque(),
  epoch: uint64,
  treeHash: opaque(),
  confirmedTranscriptHash: opaque(),
  extensions: Extensions,
})
export type GroupContext = Infer<typeof GroupContext>
