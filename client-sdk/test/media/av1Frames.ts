import { type Bytes, concatBytes } from '@conclave/core/codec'
import fc from 'fast-check'

export interface TestObu {
  readonly type: number
  readonly extension: number | undefined
  readonly payload: Bytes
}

export const TEMPORAL_DELIMITER = 2
export const PADDING = 15
export const FRAME = 6
export const SEQUENCE_HEADER = 1
/** Sequence header, frame header, tile group, metadata, frame, redundant frame header. */
const CARRIED = [1, 3, 4, 5, 6, 7]

const obuOf = (types: readonly number[]): fc.Arbitrary<TestObu> =>
  fc.record({
    type: fc.constantFrom(...types),
    extension: fc.option(
      fc.nat(31).map((layers) => layers << 3),
      { nil: undefined },
    ),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.from(bytes)),
  })

/** What an encoder may make of a picture, without what RTP leaves out. */
export const carriedObus = fc.array(obuOf(CARRIED), { minLength: 1, maxLength: 8 })

/** The same with delimiters, tile lists and padding anywhere. */
export const anyObus = fc
  .tuple(carriedObus, fc.array(fc.tuple(obuOf([2, 8, 15]), fc.nat(8)), { maxLength: 4 }))
  .map(([obus, dropped]) => {
    const all = [...obus]
    for (const [obu, at] of dropped) all.splice(Math.min(at, all.length), 0, obu)
    return { all, carried: obus }
  })

/** How sizes are written: in the shortest form, with needless bytes, or none behind the last. */
export type Sizes = 'shortest' | 'long' | 'none-at-end'

export function temporalUnit(obus: readonly TestObu[], sizes: Sizes = 'shortest'): Bytes {
  return concatBytes(
    ...obus.map(({ type, extension, payload }, i) => {
      const isSized = sizes !== 'none-at-end' || i < obus.length - 1
      const flags = (extension === undefined ? 0 : 4) | (isSized ? 2 : 0)
      return concatBytes(
        Uint8Array.of((type << 3) | flags, ...(extension === undefined ? [] : [extension])),
        isSized ? leb128(payload.length, sizes === 'long' ? 5 : 1) : new Uint8Array(0),
        payload,
      )
    }),
  )
}

/** A size in at least as many bytes. */
function leb128(value: number, length: number): Bytes {
  const bytes: number[] = []
  for (let rest = value; bytes.length < length || rest > 0; rest >>= 7) bytes.push(rest & 0x7f)
  return Uint8Array.from(bytes, (byte, i) => (i < bytes.length - 1 ? byte | 0x80 : byte))
}

/** The OBUs of a temporal unit in which each has a size. */
export function obusOf(data: Uint8Array): TestObu[] {
  const obus: TestObu[] = []
  let at = 0
  while (at < data.length) {
    const header = data[at++] as number
    const extension = (header & 4) === 0 ? undefined : data[at++]
    let size = 0
    for (let shift = 0; ; shift += 7) {
      const byte = data[at++] as number
      size |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    const payload = Uint8Array.from(data.subarray(at, at + size))
    obus.push({ type: (header >> 3) & 15, extension, payload })
    at += size
  }
  return obus
}
