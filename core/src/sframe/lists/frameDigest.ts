import { type Bytes, concatBytes, utf8 } from '../../codec/bytes.ts'
import { encode, fixedOpaque, struct, uint8, uint32, uint64 } from '../../codec/tls.ts'

/**
 * Whoever wants another frame to pass for a listed one needs a second preimage: 2^128 of work.
 * Collisions, which cost 2^64, help nobody but the sender, who may list what it likes.
 */
export const DIGEST_LENGTH = 16

const label = utf8('Conclave 1.0 Frame digest')

/** SHA-256 of a frame; the platform's, for frames are large and many. */
export type FrameHash = (data: Bytes) => Promise<Bytes>

/** SHA-256 of a browser's or Node's WebCrypto. */
export function webCryptoHash(subtle: SubtleCrypto): FrameHash {
  return async (data) => new Uint8Array(await subtle.digest('SHA-256', data))
}

/** What a digest is of. */
export interface DigestedFrame {
  readonly kid: bigint
  readonly ctr: bigint
  readonly layer: number
  /** The SFrame metadata: what stays in clear. */
  readonly metadata: Bytes
  /** What was encrypted, without the trailer. */
  readonly content: Bytes
}

/*
 * struct {
 *     opaque label[25];       // "Conclave 1.0 Frame digest"
 *     uint64 kid;
 *     uint64 ctr;
 *     uint8 layer;
 *     uint32 metadata_length;
 * } DigestPrefix;             // followed by metadata and content
 */
const DigestPrefix = struct({
  label: fixedOpaque(label.length),
  kid: uint64,
  ctr: uint64,
  layer: uint8,
  metadataLength: uint32,
})

/**
 * The digest by which a list names a frame: of the frame itself, never of its tag, which whoever has
 * the key can make fit to another frame. The frame's bytes are read before this returns.
 */
export async function frameDigest(
  hash: FrameHash,
  { kid, ctr, layer, metadata, content }: DigestedFrame,
): Promise<Bytes> {
  const prefix = encode(DigestPrefix, { label, kid, ctr, layer, metadataLength: metadata.length })
  return (await hash(concatBytes(prefix, metadata, content))).slice(0, DIGEST_LENGTH)
}
