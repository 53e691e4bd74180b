import { CodecError, utf8 } from '@conclave/core/codec'
import {
  packEntries,
  packJoiners,
  packKeyPackages,
  packMail,
  unpackEntries,
  unpackJoiners,
  unpackKeyPackages,
  unpackMail,
} from '@conclave/core/delivery'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

describe('packed lists', () => {
  test('entries and joiners come out as they went in', () => {
    const entries = [
      { seq: 1, message: utf8('a') },
      { seq: 2 ** 40, message: utf8('b'.repeat(70_000)) },
    ]
    expect(unpackEntries(packEntries(entries))).toEqual(entries)
    expect(unpackEntries(packEntries([]))).toEqual([])
    const joiners = [{ ref: utf8('ref'), keyPackage: utf8('key package') }]
    expect(unpackJoiners(packJoiners(joiners))).toEqual(joiners)
  })

  test('what a joiner carries besides is left behind', () => {
    const joiner = { ref: utf8('ref'), keyPackage: utf8('key package'), owner: 'somebody' }
    expect(unpackJoiners(packJoiners([joiner]))).toEqual([
      { ref: joiner.ref, keyPackage: joiner.keyPackage },
    ])
  })

  test('mail and KeyPackages come out as they went in', () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((some) => some.slice())
    const mail = fc.record({
      meetingId: fc.string({ unit: 'grapheme', maxLength: 20 }),
      groupId: bytes,
      ref: bytes,
      welcome: bytes,
      seq: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    })
    fc.assert(
      fc.property(fc.array(mail), fc.array(bytes), (letters, keyPackages) => {
        expect(unpackMail(packMail(letters))).toEqual(letters)
        expect(unpackKeyPackages(packKeyPackages(keyPackages))).toEqual(keyPackages)
      }),
    )
  })

  test('bytes of whatever kind are lists or refused with a code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (some) => {
        for (const unpack of [unpackEntries, unpackJoiners, unpackMail, unpackKeyPackages]) {
          try {
            unpack(some.slice())
          } catch (error) {
            expect(error).toBeInstanceOf(CodecError)
          }
        }
      }),
    )
  })

  test('mail for a meeting whose id is no text is refused', () => {
    const letter = { groupId: utf8(''), ref: utf8(''), welcome: utf8(''), seq: 1 }
    const packed = packMail([{ meetingId: 'x', ...letter }])
    const broken = packed.map((byte) => (byte === 0x78 ? 0xff : byte))
    expect(() => unpackMail(broken)).toThrow(
      expect.objectContaining({ code: 'codec-unknown-case' }) as Error,
    )
  })

  test.each([
    ['a list that ends early', 'codec-truncated', [5, 0, 0, 0]],
    ['bytes behind the list', 'codec-trailing-bytes', [0, 0]],
  ])('%s is refused', (_, code, bytes) => {
    expect(() => unpackEntries(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code }) as Error,
    )
  })

  test('a sequence number that no log reaches is refused', () => {
    const packed = Uint8Array.of(9, 255, 255, 255, 255, 255, 255, 255, 255, 0)
    expect(() => unpackEntries(packed)).toThrow(
      expect.objectContaining({ code: 'codec-too-long' }) as Error,
    )
  })
})
