import type { Bytes } from '../../codec/bytes.ts'
import { CodecError } from '../../codec/codecError.ts'
import {
  decode,
  encode,
  fixedOpaque,
  type Infer,
  opaque,
  struct,
  uint8,
  uint16,
  uint64,
  vector,
} from '../../codec/tls.ts'
import { DIGEST_LENGTH } from './frameDigest.ts'

/** An Opus packet is not fragmented: with these and a signature a list has 700 bytes at most. */
export const MAX_LISTED_FRAMES = 32
/** How many layers one source may have under one KID. */
export const MAX_LAYERS = 16
/** Of a frame's counter and that before it in its list. */
export const MAX_STEP = 0xffff

const maxListBytes = 1024
const maxSignatureBytes = 256

/**
 * What one layer's frames were, as their sender lists them. All layers of a source share one run of
 * counters: between `first` and the last listed frame no other frame is of this layer, and none at
 * all of a layer that is not in `layers`.
 *
 * struct {
 *     uint16 step;            // counter, less that of the frame before, or less `first`
 *     opaque digest[16];
 * } ListedFrame;
 *
 * struct {
 *     uint64 epoch;
 *     uint64 kid;             // of every frame that is listed
 *     uint8 layer;
 *     uint8 layers<V>;        // that have had frames under this KID
 *     uint64 first;           // counter from which on the list tells of every frame of the layer
 *     ListedFrame frames<V>;
 * } DigestList;
 */
export const DigestList = struct({
  epoch: uint64,
  kid: uint64,
  layer: uint8,
  layers: opaque(MAX_LAYERS),
  first: uint64,
  frames: vector(struct({ step: uint16, digest: fixedOpaque(DIGEST_LENGTH) }), MAX_LISTED_FRAMES),
})
export type DigestList = Infer<typeof DigestList>

/**
 * What travels in a frame, at its end.
 *
 * struct {
 *     opaque list<V>;         // DigestList
 *     opaque signature<V>;
 * } SignedDigestList;
 */
export const SignedDigestList = struct({
  list: opaque(maxListBytes),
  signature: opaque(maxSignatureBytes),
})
export type SignedDigestList = Infer<typeof SignedDigestList>

/*
 * What the leaf signs. A list names no group, because frames do not: the signature does.
 *
 * struct {
 *     opaque group_id<V>;
 *     opaque list<V>;
 * } DigestListTBS;
 */
const DigestListTbs = struct({ groupId: opaque(256), list: opaque(maxListBytes) })

/** What lists are signed under with a leaf's key (RFC 9420 §5.1.2, SignWithLabel). */
export const digestListLabel = 'ConclaveFrameDigests'

export function digestListTbs(groupId: Bytes, list: Bytes): Bytes {
  return encode(DigestListTbs, { groupId, list })
}

/** `undefined` for bytes that are no list, or one that lists nothing or a counter twice. */
export function decodeDigestList(bytes: Bytes): DigestList | undefined {
  const list = decoded(() => decode(DigestList, bytes))
  if (list === undefined || list.frames.length === 0) return undefined
  return list.frames.every(({ step }, i) => step > 0 || i === 0) ? list : undefined
}

/** `undefined` for bytes that are none. */
export function decodeSignedList(bytes: Bytes): SignedDigestList | undefined {
  return decoded(() => decode(SignedDigestList, bytes))
}

/** The counters that a list names, each with its digest, in order. */
export function listedFrames({ first, frames }: DigestList): Map<bigint, Bytes> {
  const listed = new Map<bigint, Bytes>()
  let ctr = first
  for (const { step, digest } of frames) {
    ctr += BigInt(step)
    listed.set(ctr, digest)
  }
  return listed
}

function decoded<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}
