import { type Bytes, concatBytes } from '@conclave/core/codec'

/**
 * How the frames of one codec are encrypted: which bytes stay in clear for the packetizer and the
 * SFU, and where the SFrame header, ciphertext and tag stand. The clear bytes are the SFrame
 * metadata, so they are authenticated.
 *
 * The functions return `undefined` for bytes that are no legal frame; such frames are dropped.
 */
export interface CodecRule {
  /** As encoded frames name their codec, in lower case. */
  readonly mimeType: string
  /** An encoded frame: what stays in clear and what gets encrypted. */
  split(frame: Bytes): { readonly clear: Bytes; readonly secret: Bytes } | undefined
  /** The protected frame; `sframe` is SFrame header, ciphertext and tag in one piece. */
  join(clear: Bytes, sframe: Bytes): Bytes
  /** Undoes `join`. */
  parse(frame: Bytes): { readonly clear: Bytes; readonly sframe: Bytes } | undefined
  /** Undoes `split`. */
  restore(clear: Bytes, secret: Bytes): Bytes
}

/**
 * The rule of codecs whose frames need no more than a few first bytes in clear:
 *
 *     +-------------+---------------+------------+-----+
 *     | clear bytes | SFrame header | ciphertext | tag |
 *     +-------------+---------------+------------+-----+
 *
 * `clearLength` may look only at bytes that stay in clear, so that both ends find the same length.
 */
export function clearPrefixRule(
  mimeType: string,
  clearLength: (frame: Bytes) => number,
): CodecRule {
  const cut = (frame: Bytes) => {
    const length = clearLength(frame)
    if (frame.length < length) return undefined
    return { clear: frame.subarray(0, length), rest: frame.subarray(length) }
  }
  return {
    mimeType,
    split(frame) {
      const parts = cut(frame)
      return parts && { clear: parts.clear, secret: parts.rest }
    },
    join: (clear, sframe) => concatBytes(clear, sframe),
    parse(frame) {
      const parts = cut(frame)
      return parts && { clear: parts.clear, sframe: parts.rest }
    },
    restore: (clear, secret) => concatBytes(clear, secret),
  }
}
