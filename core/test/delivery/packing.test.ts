import { utf8 } from '@conclave/core/codec'
import { packEntries, packJoiners, unpackEntries, unpackJoiners } from '@conclave/core/delivery'
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
