import { fromHex } from '@conclave/core/codec'
import { decodeHeader, encodeHeader, MAX_HEADER_LENGTH, SFrameError } from '@conclave/core/sframe'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 9n }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.nat(63).map((bits) => 2n ** BigInt(bits)),
)

describe('the SFrame header', () => {
  it('decodes to what was encoded, whatever follows it', () => {
    fc.assert(
      fc.property(uint64, uint64, fc.uint8Array({ maxLength: 20 }), (kid, ctr, rest) => {
        const header = encodeHeader(kid, ctr)
        expect(header.length).toBeLessThanOrEqual(MAX_HEADER_LENGTH)
        const frame = new Uint8Array([...header, ...rest])
        expect(decodeHeader(frame)).toEqual({ kid, ctr, length: header.length })
      }),
    )
  })

  it('has one encoding: whatever decodes is what encoding gives back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (bytes) => {
        const header = decodeHeader(bytes)
        if (header === undefined) return
        expect(encodeHeader(header.kid, header.ctr)).toEqual(bytes.slice(0, header.length))
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['nothing at all', ''],
    ['a KID that is cut short', '9001'],
    ['a counter that is cut short', '0f01020304050607'],
    ['a KID below 8 outside the config byte', '8007'],
    ['a counter below 8 outside the config byte', '0803'],
    ['a KID with a leading zero', '900012'],
    ['a counter with a leading zero', '090012'],
  ])('refuses %s', (_case, hex) => {
    expect(decodeHeader(fromHex(hex))).toBeUndefined()
  })

  it.each([-1n, 2n ** 64n])('does not encode %s', (value) => {
    const refusal = expect.objectContaining({ code: 'sframe-value-out-of-range' })
    expect(() => encodeHeader(value, 0n)).toThrow(refusal)
    expect(() => encodeHeader(0n, value)).toThrow(SFrameError)
  })
})
