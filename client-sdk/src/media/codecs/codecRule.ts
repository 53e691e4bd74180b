import { type Bytes, concatBytes } from '@conclave/core/codec'

/** An encoded frame, taken apart to be encrypted. */
export interface SplitFrame {
  /** What stays readable, in the form that both ends find: SFrame metadata, so authenticated. */
  readonly metadata: Bytes
  /** What gets encrypted. */
  readonly secret: Bytes
  /** What the SFrame follows as it is: put there at once, the frame is copied once less. */
  readonly lead: Bytes
  /** The protected frame; `sframe` is `lead`, SFrame header, ciphertext and tag in one piece. */
  join(sframe: Bytes): Bytes
}

/** A protected frame, taken apart to be decrypted. */
export interface ParsedFrame {
  readonly metadata: Bytes
  readonly sframe: Bytes
  /**
   * The encoded frame, in a buffer of its own if `secret` is; `undefined` where what was encrypted
   * is no part of one.
   */
  restore(secret: Bytes): Bytes | undefined
}

/**
 * How the frames of one codec are encrypted: which bytes stay in clear for the packetizer and the
 * SFU, and where the SFrame header, ciphertext and tag stand.
 *
 * Both functions return `undefined` for bytes that are no legal frame; such frames are dropped.
 */
export interface CodecRule {
  /** As encoded frames name their codec, in lower case. */
  readonly mimeType: string
  split(frame: Bytes): SplitFrame | undefined
  parse(frame: Bytes): ParsedFrame | undefined
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
      if (parts === undefined) return undefined
      const { clear, rest } = parts
      return { metadata: clear, secret: rest, lead: clear, join: (sframe) => sframe }
    },
    parse(frame) {
      const parts = cut(frame)
      if (parts === undefined) return undefined
      const { clear, rest } = parts
      const restore = (secret: Bytes) => (clear.length === 0 ? secret : concatBytes(clear, secret))
      return { metadata: clear, sframe: rest, restore }
    },
  }
}
