import {
  decode,
  encode,
  fromHex,
  opaque,
  struct,
  toHex,
  uint16,
  vector,
} from '@conclave/core/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { layoutOf, withContent } from './mutation/layout.ts'
import { structs } from './structs.ts'

const Outer = struct({ tag: uint16, lists: vector(vector(opaque())) })

describe('the layout of an encoding', () => {
  it('says where numbers, vectors and their items stand', () => {
    // tag, then lists of 5 bytes: one of 4 bytes with two byte strings.
    const bytes = fromHex('0001050401aa01bb')
    const { vectors, numbers } = layoutOf(Outer, bytes)
    expect(vectors.map(({ at, start, end, items }) => ({ at, start, end, items }))).toEqual([
      { at: 2, start: 3, end: 8, items: [3] },
      { at: 3, start: 4, end: 8, items: [4, 6] },
      { at: 4, start: 5, end: 6, items: [] },
      { at: 6, start: 7, end: 8, items: [] },
    ])
    expect(vectors.map(({ enclosing }) => enclosing?.at)).toEqual([undefined, 2, 3, 3])
    expect(numbers[0]).toEqual({ at: 0, size: 2 })
  })

  it('lets a content be replaced by a longer one, with longer headers around it', () => {
    const bytes = fromHex('0001050401aa01bb')
    const { vectors } = layoutOf(Outer, bytes)
    const inner = vectors[2]
    if (inner === undefined) throw new Error('there are four')
    const long = new Uint8Array(100).fill(7)
    const replaced = withContent(bytes, inner, long)
    expect(toHex(replaced.subarray(0, 8))).toBe('0001406a40684064')
    expect(decode(Outer, replaced)).toEqual({ tag: 1, lists: [[long, Uint8Array.of(0xbb)]] })
  })

  it.each(structs)('of any $name gives the same bytes for the same content', (struct) => {
    fc.assert(
      fc.property(struct.values, (value) => {
        const bytes = encode(struct.codec, value)
        for (const place of layoutOf(struct.codec, bytes).vectors) {
          const content = bytes.subarray(place.start, place.end)
          expect(toHex(withContent(bytes, place, content))).toBe(toHex(bytes))
        }
      }),
      { numRuns: 30 },
    )
  })
})
