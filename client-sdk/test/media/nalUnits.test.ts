import type { Bytes } from '@conclave/core/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { escapeNal, readAnnexB, unescapeNal } from '../../src/media/codecs/nalUnits.ts'

/** The slow twins: byte by byte, as ITU-T H.264 §7.3.1 and §7.4.1.1 have it. */
function escapeByByte(payload: Uint8Array, before: Uint8Array): number[] {
  const escaped = [...before]
  for (const byte of payload) {
    const [last, secondLast] = [escaped.at(-1), escaped.at(-2)]
    if (last === 0 && secondLast === 0 && byte <= 3) escaped.push(3)
    escaped.push(byte)
  }
  return escaped.slice(before.length)
}

function unescapeByByte(escaped: Uint8Array, before: Uint8Array): number[] {
  const all = [...before, ...escaped]
  return all
    .filter((byte, i) => i < before.length || !(byte === 3 && all[i - 1] === 0 && all[i - 2] === 0))
    .slice(before.length)
}

/** Where start codes begin and units after them, found byte by byte (annex B). */
function startCodesByByte(stream: Uint8Array): number[][] {
  const codes: number[][] = []
  let zeros = 0
  for (const [at, byte] of stream.entries()) {
    if (byte === 1 && zeros >= 2) codes.push([at - zeros, at + 1])
    zeros = byte === 0 ? zeros + 1 : 0
  }
  return codes
}

/** Few values that matter, so that runs of zeros are frequent. */
const payloads: fc.Arbitrary<Bytes> = fc
  .array(fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 255), { maxLength: 60 })
  .map((bytes) => Uint8Array.from(bytes))
const before: fc.Arbitrary<Bytes> = fc
  .tuple(fc.constant(0x65), fc.constantFrom(0, 1), fc.constantFrom(0, 1))
  .map((bytes) => Uint8Array.from(bytes))

describe('emulation prevention', () => {
  it('is what goes byte by byte', () => {
    fc.assert(
      fc.property(payloads, before, (payload, lead) => {
        expect([...escapeNal(payload, lead)]).toEqual(escapeByByte(payload, lead))
        expect([...unescapeNal(payload, lead)]).toEqual(unescapeByByte(payload, lead))
      }),
      { numRuns: 3000 },
    )
  })

  it('is undone to the byte', () => {
    fc.assert(
      fc.property(payloads, before, (payload, lead) => {
        expect(unescapeNal(escapeNal(payload, lead), lead)).toEqual(payload)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the units of a byte stream', () => {
  it('lie between the start codes that are found byte by byte', () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        const stream = Uint8Array.from([0, 0, 1, 9, ...payload])
        const codes = startCodesByByte(stream)
        const units = codes.map(([codeStart, start], i) => ({
          codeStart,
          start,
          end: codes[i + 1]?.[0] ?? stream.length,
        }))
        // An empty unit ends the stream.
        const empty = units.findIndex(({ start, end }) => start === end)
        const read = [...readAnnexB(stream)].map(({ type: _, ...place }) => place)
        expect(read).toEqual(empty < 0 ? units : units.slice(0, empty))
      }),
      { numRuns: 3000 },
    )
  })
})
