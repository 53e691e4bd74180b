import { isGrease } from '@conclave/core/wire'
import { expect, it } from 'vitest'

it('GREASE values are the fifteen of RFC 9420 §13.5, and 0xFAFA is private use', () => {
  const values = Array.from({ length: 2 ** 16 }, (_, value) => value).filter(isGrease)
  expect(values).toEqual([
    0x0a0a, 0x1a1a, 0x2a2a, 0x3a3a, 0x4a4a, 0x5a5a, 0x6a6a, 0x7a7a, 0x8a8a, 0x9a9a, 0xaaaa, 0xbaba,
    0xcaca, 0xdada, 0xeaea,
  ])
})
