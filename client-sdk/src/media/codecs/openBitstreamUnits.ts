import type { Bytes } from '@conclave/core/codec'

/** An OBU of a temporal unit (AV1 §5.3), in low-overhead form. */
export interface OpenBitstreamUnit {
  /** The first header byte, which says that a size follows, whether or not one did. */
  readonly header: number
  /** The extension byte: temporal and spatial layer. */
  readonly extension: number | undefined
  readonly payload: Bytes
  readonly type: number
}

/** Fields of an OBU header (AV1 §5.3.2). */
const FORBIDDEN_BIT = 0x80
const EXTENSION_FLAG = 0x04
const HAS_SIZE_FIELD = 0x02
const TYPE_SHIFT = 3
const TYPE_MASK = 0x0f

/** More than any encoder makes of a frame. */
const MAX_UNITS = 512
/** A size has eight bytes at most, of seven bits each, and is less than 2^32 (AV1 §4.10.5). */
const MAX_LEB128_LENGTH = 8
const LEB128_BASE = 0x80
const MAX_UINT32 = 0xffff_ffff

/** Reads a temporal unit or a part of it; `undefined` where it is cut short or malformed. */
export function readUnits(data: Bytes): OpenBitstreamUnit[] | undefined {
  const units: OpenBitstreamUnit[] = []
  let at = 0
  while (at < data.length) {
    const first = data[at++] as number
    if ((first & FORBIDDEN_BIT) !== 0 || units.length === MAX_UNITS) return undefined
    let extension: number | undefined
    if ((first & EXTENSION_FLAG) !== 0) {
      extension = data[at++]
      if (extension === undefined) return undefined
    }
    let length = data.length - at
    if ((first & HAS_SIZE_FIELD) !== 0) {
      const size = readLeb128(data, at)
      if (size === undefined || size.value > data.length - size.end) return undefined
      length = size.value
      at = size.end
    }
    units.push({
      header: first | HAS_SIZE_FIELD,
      extension,
      payload: data.subarray(at, at + length),
      type: (first >> TYPE_SHIFT) & TYPE_MASK,
    })
    at += length
  }
  return units
}

/** Header, extension and size of a unit, the size in its shortest form. */
export function encodeUnitHeader({ header, extension, payload }: OpenBitstreamUnit): Bytes {
  const size = encodeLeb128(payload.length)
  return Uint8Array.of(header, ...(extension === undefined ? [] : [extension]), ...size)
}

export function makeUnit(type: number, payload: Bytes): OpenBitstreamUnit {
  return { header: (type << TYPE_SHIFT) | HAS_SIZE_FIELD, extension: undefined, payload, type }
}

function encodeLeb128(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= LEB128_BASE) {
    bytes.push((rest % LEB128_BASE) | LEB128_BASE)
    rest = Math.floor(rest / LEB128_BASE)
  }
  bytes.push(rest)
  return bytes
}

/** AV1 §4.10.5; a value may be encoded with more bytes than it needs. */
function readLeb128(
  data: Bytes,
  start: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0
  let scale = 1
  for (let i = 0; i < MAX_LEB128_LENGTH; i++) {
    const byte = data[start + i]
    if (byte === undefined) return undefined
    value += (byte % LEB128_BASE) * scale
    if (value > MAX_UINT32) return undefined
    if (byte < LEB128_BASE) return { value, end: start + i + 1 }
    scale *= LEB128_BASE
  }
  return undefined
}
