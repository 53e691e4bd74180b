import fc from 'fast-check'
import { type Bytes, concatBytes } from '../../src/codec/bytes.ts'

/** Positions are taken modulo the length of what they are applied to. */
interface Damage {
  readonly kind: 'set' | 'flip' | 'insert' | 'delete' | 'repeat' | 'swap' | 'truncate'
  readonly at: number
  readonly value: number
  readonly length: number
}

const oneDamage: fc.Arbitrary<Damage> = fc.record({
  // Mostly such that lengths stay right: then the message is read, and its meaning is what is wrong.
  kind: fc.constantFrom(
    'set',
    'set',
    'flip',
    'flip',
    'swap',
    'insert',
    'delete',
    'repeat',
    'truncate',
  ),
  at: fc.nat(),
  // Values at the edges of tags, counts and length headers.
  value: fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 7, 10, 32, 63, 64, 127, 128, 255), fc.nat(255)),
  length: fc.integer({ min: 1, max: 40 }),
})

/** One to three pieces of damage. */
export const damage: fc.Arbitrary<(bytes: Bytes) => Bytes> = fc
  .array(oneDamage, { minLength: 1, maxLength: 3 })
  .map((pieces) => (bytes: Bytes) => pieces.reduce(damaged, bytes))

function damaged(bytes: Bytes, { kind, at, value, length }: Damage): Bytes {
  if (bytes.length === 0) return bytes
  const place = at % bytes.length
  const before = bytes.subarray(0, place)
  const after = bytes.subarray(place)
  const copy = bytes.slice()
  switch (kind) {
    case 'set':
      return copy.fill(value, place, place + 1)
    case 'flip':
      return copy.fill((bytes[place] as number) ^ (1 << (value % 8)), place, place + 1)
    case 'swap': {
      const other = (at * 31 + value) % bytes.length
      return copy.fill(bytes[other] as number, place, place + Math.min(length, 4))
    }
    case 'insert':
      return concatBytes(before, new Uint8Array(length).fill(value), after)
    case 'delete':
      return concatBytes(before, after.subarray(length))
    case 'repeat':
      return concatBytes(before, after.subarray(0, length), after)
    case 'truncate':
      return concatBytes(before)
  }
}
