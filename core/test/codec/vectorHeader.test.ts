import { CodecError, decode, fromHex, opaque, uint8, vector } from '@conclave/core/codec'
import { describe, expect, it } from 'vitest'

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof CodecError) return error.code
    throw error
  }
  return 'no error'
}

describe('a vector header (RFC 9420 §2.1.2)', () => {
  it.each(['4000', '4001', '403f', '80000000', '80000001', '8000003f', '80000040', '80003fff'])(
    '%s is refused because a shorter form exists',
    (header) => {
      expect(codeOf(() => decode(opaque(), fromHex(header)))).toBe('codec-bad-length')
      expect(codeOf(() => decode(vector(uint8), fromHex(header)))).toBe('codec-bad-length')
    },
  )

  it('is refused with every form of the reserved prefix 0b11', () => {
    for (let first = 0xc0; first <= 0xff; first++) {
      const input = new Uint8Array(80).fill(first, 0, 1)
      expect(codeOf(() => decode(opaque(), input))).toBe('codec-bad-length')
      expect(codeOf(() => decode(vector(uint8), input))).toBe('codec-bad-length')
    }
  })

  it.each(['', '40', '80', '8000', '800040'])('that ends early (%s) is truncated', (header) => {
    expect(codeOf(() => decode(opaque(), fromHex(header)))).toBe('codec-truncated')
  })

  it('may not reach beyond the vector that encloses it', () => {
    // The inner vector states two bytes of which only one lies within the outer one.
    expect(codeOf(() => decode(vector(opaque()), fromHex('0202aabb')))).toBe('codec-truncated')
  })

  it('that claims a gigabyte in ten bytes fails without reserving memory for it', () => {
    const input = fromHex('bfffffff000000000000')
    const reserved = () => process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
    const before = reserved()
    for (let i = 0; i < 200; i++) {
      expect(codeOf(() => decode(opaque(), input))).toBe('codec-truncated')
      expect(codeOf(() => decode(vector(uint8), input))).toBe('codec-truncated')
      expect(codeOf(() => decode(vector(opaque()), input))).toBe('codec-truncated')
    }
    expect(reserved() - before).toBeLessThan(64 * 2 ** 20)
  })
})
