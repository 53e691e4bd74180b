import { type Bytes, concatBytes, emptyBytes } from '../../codec/bytes.ts'
import { encode, struct, uint8, uint16 } from '../../codec/tls.ts'

/**
 * What the plaintext of a listed frame ends with:
 *
 *     +---------+------+-----------------+-------+
 *     | content | list | length of list  | layer |
 *     |         |      | (2), 0 for none |  (1)  |
 *     +---------+------+-----------------+-------+
 */
const TrailerEnd = struct({ listLength: uint16, layer: uint8 })
const END_LENGTH = 3

/** The end of a listed frame's plaintext, taken apart. */
export interface TrailedFrame {
  readonly content: Bytes
  readonly layer: number
  /** A {@link SignedDigestList}; empty where the frame carries none. */
  readonly list: Bytes
}

/** What follows a frame's content. @throws CodecError `codec-unencodable` beyond 65,535 bytes */
export function encodeTrailer({ layer, list }: Omit<TrailedFrame, 'content'>): Bytes {
  return concatBytes(list, encode(TrailerEnd, { listLength: list.length, layer }))
}

/** `undefined` where the plaintext is shorter than what it says. */
export function splitTrailer(plaintext: Bytes): TrailedFrame | undefined {
  const end = plaintext.length - END_LENGTH
  if (end < 0) return undefined
  const [high = 0, low = 0, layer = 0] = plaintext.subarray(end)
  const start = end - (high * 256 + low)
  if (start < 0) return undefined
  const list = start === end ? emptyBytes : plaintext.slice(start, end)
  return { content: plaintext.slice(0, start), layer, list }
}
