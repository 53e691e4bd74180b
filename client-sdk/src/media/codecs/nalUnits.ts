import type { Bytes } from '@conclave/core/codec'

/** A NAL unit of a byte stream; `codeStart` is where its start code begins. */
export interface NalUnit {
  readonly codeStart: number
  readonly start: number
  readonly end: number
  /** `nal_unit_type` (ITU-T H.264 §7.4.1). */
  readonly type: number
}

const TYPE_BITS = 0x1f
const ESCAPE = 0x03

/**
 * The NAL units of a byte stream (ITU-T H.264 annex B), each found when it is asked for. What comes
 * before the first start code is no unit, and makes the whole no byte stream.
 */
export function* readAnnexB(stream: Bytes): Generator<NalUnit, void> {
  let code = findStartCode(stream, 0)
  if (code?.codeStart !== 0) return
  while (code !== undefined) {
    const { codeStart, start } = code
    code = findStartCode(stream, start)
    const end = code?.codeStart ?? stream.length
    if (start === end) return
    yield { codeStart, start, end, type: (stream[start] as number) & TYPE_BITS }
  }
}

/** The next start code; all zero bytes before it are part of it, for no unit ends with one. */
function findStartCode(
  stream: Bytes,
  from: number,
): { readonly codeStart: number; readonly start: number } | undefined {
  for (let one = stream.indexOf(1, from + 2); one >= 0; one = stream.indexOf(1, one + 1)) {
    if (stream[one - 1] !== 0 || stream[one - 2] !== 0) continue
    let codeStart = one - 2
    while (codeStart > from && stream[codeStart - 1] === 0) codeStart--
    return { codeStart, start: one + 1 }
  }
  return undefined
}

/** Inserts emulation prevention bytes into what follows `before` in a NAL unit (§7.4.1.1). */
export function escapeNal(payload: Bytes, before: Bytes): Bytes {
  const escaped = new Uint8Array(payload.length + (payload.length >> 1) + 1)
  let zeros = trailingZeros(before)
  let length = 0
  for (const byte of payload) {
    if (zeros >= 2 && byte <= ESCAPE) {
      escaped[length++] = ESCAPE
      zeros = 0
    }
    escaped[length++] = byte
    zeros = byte === 0 ? zeros + 1 : 0
  }
  return escaped.subarray(0, length)
}

/** Undoes {@link escapeNal}. */
export function unescapeNal(escaped: Bytes, before: Bytes): Bytes {
  const payload = new Uint8Array(escaped.length)
  let zeros = trailingZeros(before)
  let length = 0
  for (const byte of escaped) {
    if (zeros >= 2 && byte === ESCAPE) {
      zeros = 0
      continue
    }
    payload[length++] = byte
    zeros = byte === 0 ? zeros + 1 : 0
  }
  return payload.subarray(0, length)
}

function trailingZeros(bytes: Bytes): number {
  let zeros = 0
  while (zeros < bytes.length && bytes[bytes.length - 1 - zeros] === 0) zeros++
  return zeros
}
