import { type Bytes, concatBytes } from '@conclave/core/codec'
import fc from 'fast-check'

/** A NAL unit with its start code. */
export interface TestUnit {
  readonly startCode: Bytes
  readonly type: number
  readonly bytes: Bytes
}

export const SPS = 7
export const PPS = 8
export const AUD = 9
export const SEI = 6
export const IDR_SLICE = 5
export const SLICE = 1
export const FILLER = 12

const startCodes = fc.constantFrom(3, 4, 4, 6).map((length) => {
  const code = new Uint8Array(length)
  code[length - 1] = 1
  return code
})

/** A legal NAL unit: no start code inside, no zero byte at its end; rich in zeros and small bytes. */
export function unitOf(types: readonly number[], minLength = 1): fc.Arbitrary<TestUnit> {
  const byte = fc.oneof(fc.constantFrom(0, 0, 0, 1, 2, 3), fc.nat(255))
  return fc
    .record({
      startCode: startCodes,
      type: fc.constantFrom(...types),
      priority: fc.integer({ min: 1, max: 3 }),
      body: fc.array(byte, { minLength: minLength - 1, maxLength: 200 }),
    })
    .map(({ startCode, type, priority, body }) => {
      const bytes = [(priority << 5) | type]
      for (const byte of [...body, 0x80]) {
        const [before, last] = bytes.slice(-2)
        if (before === 0 && last === 0 && byte <= 3) bytes.push(3)
        bytes.push(byte)
      }
      return { startCode, type, bytes: Uint8Array.from(bytes) }
    })
}

/** What an encoder may make of a picture: parameter sets that may change, SEI, one slice or more. */
export const accessUnits: fc.Arbitrary<readonly TestUnit[]> = fc
  .tuple(
    fc.array(unitOf([SPS, PPS, AUD, SEI, SPS, PPS]), { maxLength: 6 }),
    fc.array(unitOf([IDR_SLICE, SLICE], 4), { minLength: 1, maxLength: 4 }),
    fc.array(unitOf([FILLER, SEI]), { maxLength: 2 }),
  )
  .map((parts) => parts.flat())

export function byteStream(units: readonly TestUnit[]): Bytes {
  return concatBytes(...units.flatMap(({ startCode, bytes }) => [startCode, bytes]))
}

/** The units of a byte stream, found by their start codes alone. */
export function unitsOf(stream: Uint8Array): Uint8Array[] {
  const units: Uint8Array[] = []
  let start = -1
  for (let i = 0; i <= stream.length; i++) {
    const isEnd = i === stream.length
    if (!isEnd && !(i >= 2 && stream[i] === 1 && stream[i - 1] === 0 && stream[i - 2] === 0))
      continue
    let end = isEnd ? i : i - 2
    while (!isEnd && stream[end - 1] === 0) end--
    if (start >= 0) units.push(stream.slice(start, end))
    start = i + 1
  }
  return units
}

/** Whether a unit holds what would begin another one, or an escape that is none (§7.4.1). */
export function isBroken(unit: Uint8Array): boolean {
  return unit.some((first, i) => {
    const [second, third = -1, fourth = 0] = unit.subarray(i + 1, i + 4)
    if (first !== 0 || second !== 0 || third < 0) return false
    return third < 3 || (third === 3 && fourth > 3)
  })
}

/** What a packetizer and a depacketizer make of a byte stream: each unit behind four bytes. */
export function carried(stream: Uint8Array): Bytes {
  return concatBytes(...unitsOf(stream).flatMap((unit) => [Uint8Array.of(0, 0, 0, 1), unit]))
}
