import { type Bytes, concatBytes, emptyBytes, encode, uint32 } from '@conclave/core/codec'
import type { CodecRule } from './codecRule.ts'
import { escapeNal, type NalUnit, readAnnexB, unescapeNal } from './nalUnits.ts'

/** Types of NAL units (ITU-T H.264 §7.4.1, table 7-1). */
const FIRST_SLICE_TYPE = 1
const LAST_SLICE_TYPE = 5
/** Sequence and picture parameter sets, access unit delimiter: the SFU and depacketizers read them. */
const READABLE_TYPES: ReadonlySet<number> = new Set([7, 8, 9])

/** Header and the beginning of the slice header: first macroblock, slice type, parameter set. */
const CLEAR_SLICE_BYTES = 3
/** Closes the slice, because a NAL unit must not end with a zero byte (§7.4.1). */
const CLOSING_BYTE = 0x80
/** Position among the leading units and length. */
const HIDDEN_UNIT_HEADER = 5
const MAX_LEADING_UNITS = 64

/**
 * H.264 in Annex B form. The packetizer and the SFU look at parameter sets and into the first slice;
 * the rest, all other slices among it, becomes the body of that one slice:
 *
 *     | SPS, PPS, AUD | start code | first slice: 3 bytes | escape(SFrame header, ciphertext, tag) | 80 |
 *
 * The body is escaped, so that no start code arises in it (§7.4.1.1). Whatever else leads the first
 * slice, such as SEI, may carry content and is encrypted too. Start codes get another length under
 * way: authenticated are the clear bytes of each unit, and their number.
 */
export const h264: CodecRule = {
  mimeType: 'video/h264',

  split(frame) {
    const parts = leadAndSlice(frame)
    if (parts === undefined) return undefined
    const { leading, slice } = parts
    const readable = leading.filter(isReadable)
    const clear = frame.subarray(slice.start, slice.start + CLEAR_SLICE_BYTES)
    return {
      metadata: authenticated(frame, readable, clear),
      secret: concatBytes(hide(frame, leading), frame.subarray(slice.start + CLEAR_SLICE_BYTES)),
      lead: emptyBytes,
      join: (sframe) =>
        concatBytes(
          ...readable.map((unit) => frame.subarray(unit.codeStart, unit.end)),
          frame.subarray(slice.codeStart, slice.start),
          clear,
          escapeNal(sframe, clear),
          Uint8Array.of(CLOSING_BYTE),
        ),
    }
  },

  parse(frame) {
    const parts = leadAndSlice(frame)
    if (parts === undefined || !parts.leading.every(isReadable)) return undefined
    const { leading, slice } = parts
    // A protected frame has this one slice, and nothing follows it.
    if (slice.end !== frame.length || frame[slice.end - 1] !== CLOSING_BYTE) return undefined
    const clearEnd = slice.start + CLEAR_SLICE_BYTES
    if (slice.end - 1 < clearEnd) return undefined
    const clear = frame.subarray(slice.start, clearEnd)
    const sframe = unescapeNal(frame.subarray(clearEnd, slice.end - 1), clear)
    return {
      metadata: authenticated(frame, leading, clear),
      sframe,
      restore: (secret) => restore(frame, leading, slice, secret),
    }
  },
}

/** The units up to the first slice, which is looked at no further than its clear bytes. */
function leadAndSlice(
  frame: Bytes,
): { readonly leading: readonly NalUnit[]; readonly slice: NalUnit } | undefined {
  const leading: NalUnit[] = []
  for (const unit of readAnnexB(frame)) {
    if (unit.type >= FIRST_SLICE_TYPE && unit.type <= LAST_SLICE_TYPE) {
      const isLongEnough = unit.end - unit.start >= CLEAR_SLICE_BYTES
      return isLongEnough ? { leading, slice: unit } : undefined
    }
    if (leading.length === MAX_LEADING_UNITS) return undefined
    leading.push(unit)
  }
  return undefined
}

function isReadable({ type }: NalUnit): boolean {
  return READABLE_TYPES.has(type)
}

function authenticated(frame: Bytes, readable: readonly NalUnit[], clear: Bytes): Bytes {
  const units = readable.map((unit) => frame.subarray(unit.start, unit.end))
  return concatBytes(...[...units, clear].flatMap((unit) => [encode(uint32, unit.length), unit]))
}

/** How many leading units are hidden, and each with its position and start code. */
function hide(frame: Bytes, leading: readonly NalUnit[]): Bytes {
  const hidden = leading.flatMap((unit, position) =>
    isReadable(unit) ? [] : [{ position, bytes: frame.subarray(unit.codeStart, unit.end) }],
  )
  return concatBytes(
    Uint8Array.of(hidden.length),
    ...hidden.flatMap(({ position, bytes }) => [
      Uint8Array.of(position),
      encode(uint32, bytes.length),
      bytes,
    ]),
  )
}

function restore(
  frame: Bytes,
  readable: readonly NalUnit[],
  slice: NalUnit,
  secret: Bytes,
): Bytes | undefined {
  const leading = readable.map((unit) => frame.subarray(unit.codeStart, unit.end))
  const view = new DataView(secret.buffer, secret.byteOffset, secret.length)
  const count = secret[0]
  if (count === undefined) return undefined
  let at = 1
  for (let i = 0; i < count; i++) {
    if (at + HIDDEN_UNIT_HEADER > secret.length) return undefined
    const position = view.getUint8(at)
    const end = at + HIDDEN_UNIT_HEADER + view.getUint32(at + 1)
    if (position > leading.length || end > secret.length) return undefined
    leading.splice(position, 0, secret.subarray(at + HIDDEN_UNIT_HEADER, end))
    at = end
  }
  const clear = frame.subarray(slice.codeStart, slice.start + CLEAR_SLICE_BYTES)
  return concatBytes(...leading, clear, secret.subarray(at))
}
