import type { Bytes } from '../codec/bytes.ts'
import { SFrameError } from './error.ts'
import { lowerHalf, upperHalf } from './uint64.ts'

const MAX_UINT64 = 0xffff_ffff_ffff_ffffn

/** The config byte, a KID and a counter of eight bytes each. */
export const MAX_HEADER_LENGTH = 17

/** RFC 9605 §4.3. `length` is how many bytes the header took. */
export interface SFrameHeader {
  readonly kid: bigint
  readonly ctr: bigint
  readonly length: number
}

/**
 * Encodes the SFrame header in its one legal form (RFC 9605 §4.3).
 *
 *      0 1 2 3 4 5 6 7
 *     +-+-+-+-+-+-+-+-+------------+------------+
 *     |X|  K  |Y|  C  |   KID...   |   CTR...   |
 *     +-+-+-+-+-+-+-+-+------------+------------+
 *
 * @throws SFrameError `sframe-value-out-of-range` where KID or CTR is no unsigned 64-bit integer
 */
export function encodeHeader(kid: bigint, ctr: bigint): Bytes {
  const kidLength = extendedLength(kid)
  const ctrLength = extendedLength(ctr)
  const header = new Uint8Array(1 + kidLength + ctrLength)
  const k = kidLength === 0 ? Number(kid) : 8 | (kidLength - 1)
  const c = ctrLength === 0 ? Number(ctr) : 8 | (ctrLength - 1)
  header[0] = (k << 4) | c
  writeUint(header, 1, kidLength, kid)
  writeUint(header, 1 + kidLength, ctrLength, ctr)
  return header
}

/**
 * Decodes the header that `data` begins with; `undefined` where it is cut short or a field is not
 * encoded "with the minimum number of bytes required" (RFC 9605 §4.3).
 */
export function decodeHeader(data: Uint8Array): SFrameHeader | undefined {
  const config = data[0]
  if (config === undefined) return undefined
  const kid = readField(data, 1, config >> 4)
  if (kid === undefined) return undefined
  const ctr = readField(data, kid.end, config & 0x0f)
  if (ctr === undefined) return undefined
  return { kid: kid.value, ctr: ctr.value, length: ctr.end }
}

/** How many bytes follow the config byte for `value`; none where the config byte holds it. */
function extendedLength(value: bigint): number {
  if (value < 0n || value > MAX_UINT64) {
    throw new SFrameError('sframe-value-out-of-range', 'KID and CTR are unsigned 64-bit integers')
  }
  if (value < 8n) return 0
  const high = upperHalf(value)
  return high === 0 ? byteLength(lowerHalf(value)) : 4 + byteLength(high)
}

function writeUint(out: Uint8Array, offset: number, length: number, value: bigint): void {
  let rest = lowerHalf(value)
  for (let i = 1; i <= length; i++) {
    out[offset + length - i] = rest
    rest = i === 4 ? upperHalf(value) : rest >>> 8
  }
}

/** `field` is the flag and the three bits after it. */
function readField(
  data: Uint8Array,
  offset: number,
  field: number,
): { value: bigint; end: number } | undefined {
  if ((field & 8) === 0) return { value: BigInt(field), end: offset }
  const end = offset + (field & 7) + 1
  if (end > data.length || data[offset] === 0) return undefined
  const middle = Math.max(offset, end - 4)
  const high = readUint(data, offset, middle)
  const low = readUint(data, middle, end)
  if (high === 0) return low < 8 ? undefined : { value: BigInt(low), end }
  return { value: (BigInt(high) << 32n) | BigInt(low), end }
}

/** Of four bytes at most. */
function readUint(data: Uint8Array, offset: number, end: number): number {
  let value = 0
  for (let i = offset; i < end; i++) value = value * 256 + (data[i] as number)
  return value
}

/** How many bytes hold an unsigned number of 32 bits that is not 0. */
function byteLength(value: number): number {
  return 4 - (Math.clz32(value) >>> 3)
}
