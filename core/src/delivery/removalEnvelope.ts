import type { Bytes } from '../codec/bytes.ts'
import { CodecError } from '../codec/codecError.ts'
import {
  decode,
  encode,
  type Infer,
  oneOf,
  opaque,
  optional,
  struct,
  uint8,
  uint32,
  vector,
} from '../codec/tls.ts'
import type { PublicSuite } from '../crypto/public/publicSuite.ts'
import { verifyWithLabel } from '../crypto/public/verifyWithLabel.ts'

/**
 * The authenticated_data of the keyserver's Removes: why it asks for them, by its own word, and by
 * whose request, which that member has signed. Readers take what they do not understand for no
 * reason at all.
 *
 * struct {
 *     uint32 leaf_index;
 *     opaque signature<V>;
 * } RemovalRequester;
 *
 * struct {
 *     uint8 reason;              // 1 absent, 2 idle, 3 left, 4 removed
 *     optional<RemovalRequester> requester;
 * } RemovalEnvelope;
 */
const RemovalEnvelopeStruct = struct({
  reason: oneOf(uint8, [1, 2, 3, 4]),
  requester: optional(struct({ leafIndex: uint32, signature: opaque(256) })),
})

/**
 * `absent`: without a connection for the grace period. `idle`: without new keys for too long.
 * `left`: by its own word, which a commit has missed. `removed`: at the word of the app's backend,
 * or at the requester's.
 */
export type RemovalReason = 'absent' | 'idle' | 'left' | 'removed'

export interface RemovalEnvelope {
  readonly reason: RemovalReason
  readonly requester?: RemovalRequester | undefined
}

/** A member, and its signature under `removalRequestLabel`. */
export interface RemovalRequester {
  readonly leafIndex: number
  readonly signature: Bytes
}

const codeOf = { absent: 1, idle: 2, left: 3, removed: 4 } as const
const reasonOf = { 1: 'absent', 2: 'idle', 3: 'left', 4: 'removed' } as const

export function encodeRemovalEnvelope({ reason, requester }: RemovalEnvelope): Bytes {
  return encode(RemovalEnvelopeStruct, { reason: codeOf[reason], requester })
}

/** Undefined where the bytes are none, or of a version to come. */
export function readRemovalEnvelope(bytes: Bytes): RemovalEnvelope | undefined {
  try {
    const { reason, requester } = decode(RemovalEnvelopeStruct, bytes)
    return { reason: reasonOf[reason], requester }
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

/**
 * What a member signs with its leaf's key under the label "ConclaveRemovalRequest" to have another
 * leaf removed. A signature key is in a group once and never comes back to it by being added, so
 * that the word concerns nobody who comes later.
 *
 * struct {
 *     opaque group_id<V>;
 *     opaque signature_key<V>;   // of the leaf that is to go
 * } RemovalRequestTBS;
 */
const RemovalRequestTbs = struct({ groupId: opaque(256), signatureKey: opaque(1024) })

export const removalRequestLabel = 'ConclaveRemovalRequest'

export function removalRequestTbs(groupId: Bytes, signatureKey: Bytes): Bytes {
  return encode(RemovalRequestTbs, { groupId, signatureKey })
}

/** Whether `signature` is by the requester's key. */
export function verifyRemovalRequest(
  crypto: PublicSuite,
  requesterKey: Bytes,
  claim: { readonly groupId: Bytes; readonly signatureKey: Bytes },
  signature: Bytes,
): Promise<boolean> {
  const content = removalRequestTbs(claim.groupId, claim.signatureKey)
  return verifyWithLabel(crypto, requesterKey, removalRequestLabel, content, signature)
}

/**
 * A request's signed words, one for each leaf, as they travel.
 *
 * struct {
 *     uint32 leaf_index;         // that is to go
 *     opaque signature<V>;
 * } RemovalWord;
 *
 * RemovalWord words<V>;
 */
export const RemovalWords = vector(struct({ leafIndex: uint32, signature: opaque(256) }), 1024)
export type RemovalWords = Infer<typeof RemovalWords>

export function packRemovalWords(words: RemovalWords): Bytes {
  return encode(RemovalWords, words)
}

/** @throws CodecError */
export function unpackRemovalWords(bytes: Bytes): RemovalWords {
  return decode(RemovalWords, bytes)
}
