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
  let codeStart = findTwoZeros(stream, from)
  while (codeStart >= 0) {
    let at = codeStart + 2
    while (stream[at] === 0) at++
    if (stream[at] === 1) return { codeStart, start: at + 1 }
    codeStart = findTwoZeros(stream, at)
  }
  return undefined
}

/** Where the next two zeros begin; -1 where none follow. In ciphertext one byte of 256 is a zero. */
function findTwoZeros(bytes: Bytes, from: number): number {
  let at = bytes.indexOf(0, from)
  while (at >= 0 && bytes[at + 1] !== 0) at = bytes.indexOf(0, at + 2)
  return at
}

/** Inserts emulation prevention bytes into what follows `before` in a NAL unit (§7.4.1.1). */
export function escapeNal(payload: Bytes, before: Bytes): Bytes {
  const places = afterTwoZeros(payload, before, (byte) => byte <= ESCAPE)
  if (places.length === 0) return payload
  const escaped = new Uint8Array(payload.length + places.length)
  let from = 0
  for (const [inserted, place] of places.entries()) {
    escaped.set(payload.subarray(from, place), from + inserted)
    escaped[place + inserted] = ESCAPE
    from = place
  }
  escaped.set(payload.subarray(from), from + places.length)
  return escaped
}

/** Undoes {@link escapeNal}. */
export function unescapeNal(escaped: Bytes, before: Bytes): Bytes {
  const places = afterTwoZeros(escaped, before, (byte) => byte === ESCAPE)
  if (places.length === 0) return escaped
  const payload = new Uint8Array(escaped.length - places.length)
  let from = 0
  for (const [removed, place] of places.entries()) {
    payload.set(escaped.subarray(from, place), from - removed)
    from = place + 1
  }
  payload.set(escaped.subarray(from), from - places.length)
  return payload
}

/** The places of bytes that `counts` and that follow two zeros, which count for one place only. */
function afterTwoZeros(
  bytes: Bytes,
  before: Bytes,
  counts: (byte: number) => boolean,
): readonly number[] {
  const places: number[] = []
  let zeros = trailingZeros(before)
  let at = 0
  while (at < bytes.length) {
    if (zeros === 0) {
      const next = findTwoZeros(bytes, at)
      if (next < 0) break
      zeros = 2
      at = next + 2
      continue
    }
    const byte = bytes[at] as number
    const isPlace = zeros >= 2 && counts(byte)
    if (isPlace) {
      places.push(at)
      zeros = 0
    }
    zeros = byte === 0 ? zeros + 1 : 0
    at++
  }
  return places
}

function trailingZeros(bytes: Bytes): number {
  let zeros = 0
  while (zeros < bytes.length && bytes[bytes.length - 1 - zeros] === 0) zeros++
  return zeros
}
