import {
  CONCLAVE_KID_LAYOUT,
  decodeContext,
  decodeKid,
  encodeContext,
  encodeKid,
  type MediaSource,
} from '@conclave/core/sframe'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('KIDs of MLS senders', () => {
  it.each([
    [14n, 3, 0n, 0x3en],
    [14n, 7, 0n, 0x7en],
    [14n, 20, 0n, 0x14en],
    [15n, 3, 0n, 0x3fn],
    [15n, 5, 0n, 0x5fn],
    [16n, 2, 2n, 0x820n],
    [16n, 2, 3n, 0xc20n],
    [17n, 33, 0n, 0x211n],
    [17n, 51, 0n, 0x331n],
  ])(
    "epoch %s, leaf %s, context %s is RFC 9605's figure (E=4, S=6)",
    (epoch, leaf, context, kid) => {
      const layout = { epochBits: 4, leafBits: 6 }
      expect(encodeKid(layout, { epoch, leaf, context })).toBe(kid)
      expect(decodeKid(layout, kid)).toEqual({ epoch: Number(epoch % 16n), leaf, context })
    },
  )

  it('name epoch, leaf, source and incarnation, and are read back', () => {
    const source = fc.constantFrom<MediaSource>('microphone', 'camera', 'screen', 'screen-audio')
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.nat(1023),
        source,
        fc.integer({ min: 0, max: 2 ** 43 - 1 }),
        fc.boolean(),
        (epoch, leaf, source, incarnation, isListed) => {
          const context = encodeContext({ source, incarnation, isListed })
          const kid = encodeKid(CONCLAVE_KID_LAYOUT, { context, leaf, epoch })
          const parts = decodeKid(CONCLAVE_KID_LAYOUT, kid)
          expect(parts).toEqual({ context, leaf, epoch: Number(epoch % 256n) })
          expect(decodeContext(parts.context)).toEqual({ source, incarnation, isListed })
        },
      ),
    )
  })

  it('put the source below the incarnation, and 4 beside it where digests are listed', () => {
    const context = { source: 'screen-audio', incarnation: 5, isListed: false } as const
    expect(encodeContext({ source: 'microphone', incarnation: 0, isListed: false })).toBe(0n)
    expect(encodeContext(context)).toBe(43n)
    expect(encodeContext({ ...context, isListed: true })).toBe(47n)
    expect(decodeContext(44n)).toEqual({ source: 'microphone', incarnation: 5, isListed: true })
  })

  it.each([-1, 1024, 1.5])('refuse leaf %s', (leaf) => {
    expect(() => encodeKid(CONCLAVE_KID_LAYOUT, { context: 0n, leaf, epoch: 1n })).toThrow(
      expect.objectContaining({ code: 'sframe-leaf-out-of-range' }),
    )
  })

  it('refuse an incarnation that does not fit', () => {
    const camera = { source: 'camera', isListed: false } as const
    const context = encodeContext({ ...camera, incarnation: 2 ** 43 })
    expect(() => encodeKid(CONCLAVE_KID_LAYOUT, { context, leaf: 0, epoch: 1n })).toThrow(
      expect.objectContaining({ code: 'sframe-value-out-of-range' }),
    )
    expect(() => encodeContext({ ...camera, incarnation: -1 })).toThrow(
      expect.objectContaining({ code: 'sframe-value-out-of-range' }),
    )
  })
})
