import {
  type Codec,
  CodecError,
  decode,
  encode,
  equalBytes,
  extend,
  fixedOpaque,
  oneOf,
  opaque,
  optional,
  struct,
  uint8,
  uint16,
  uint32,
  uint64,
  variant,
  vector,
} from '@conclave/core/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** A codec of any shape together with the values that it can hold. */
interface Sample {
  readonly codec: Codec<unknown>
  readonly values: fc.Arbitrary<unknown>
}

function sample<T>(codec: Codec<T>, values: fc.Arbitrary<T>): Sample {
  return { codec: codec as Codec<unknown>, values }
}

const leaves: readonly Sample[] = [
  sample(uint8, fc.integer({ min: 0, max: 2 ** 8 - 1 })),
  sample(uint16, fc.integer({ min: 0, max: 2 ** 16 - 1 })),
  sample(uint32, fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  sample(uint64, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  sample(opaque(), fc.uint8Array({ maxLength: 70 })),
  sample(opaque(3), fc.uint8Array({ maxLength: 3 })),
  sample(fixedOpaque(5), fc.uint8Array({ minLength: 5, maxLength: 5 })),
  sample(oneOf(uint16, [1, 2, 500]), fc.constantFrom(1, 2, 500)),
]

const codecs: fc.Arbitrary<Sample> = fc.letrec<{ codec: Sample }>((tie) => ({
  codec: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...leaves),
    tie('codec').map(({ codec, values }) =>
      sample(vector(codec, 40), fc.array(values, { maxLength: 40 })),
    ),
    // Within a struct: an absent value and a present one that is absent look the same in TypeScript.
    tie('codec').map(({ codec, values }) =>
      sample(
        optional(struct({ present: codec })),
        fc.option(fc.record({ present: values }), { nil: undefined }),
      ),
    ),
    fc
      .tuple(tie('codec'), tie('codec'))
      .map(([a, b]) =>
        sample(struct({ a: a.codec, b: b.codec }), fc.record({ a: a.values, b: b.values })),
      ),
    fc
      .tuple(tie('codec'), tie('codec'))
      .map(([a, b]) =>
        sample(
          variant('kind', uint8, { 1: struct({ a: a.codec }), 9: struct({ b: b.codec }) }),
          fc.oneof(
            fc.record({ kind: fc.constant(1 as const), a: a.values }),
            fc.record({ kind: fc.constant(9 as const), b: b.values }),
          ),
        ),
      ),
    fc.tuple(tie('codec'), tie('codec')).map(([a, b]) =>
      sample(
        extend(struct({ a: a.codec }), () => struct({ b: b.codec })),
        fc.record({ a: a.values, b: b.values }),
      ),
    ),
  ),
})).codec

const codecAndValue = codecs.chain(({ codec, values }) =>
  fc.record({ codec: fc.constant(codec), value: values }),
)

describe('a codec of any shape', () => {
  it('decodes what it encoded', () => {
    fc.assert(
      fc.property(codecAndValue, ({ codec, value }) => {
        expect(decode(codec, encode(codec, value))).toEqual(value)
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses every proper prefix of an encoding as truncated, and every longer input', () => {
    fc.assert(
      fc.property(codecAndValue, fc.nat(), fc.uint8Array({ minLength: 1 }), (drawn, cut, more) => {
        const { codec, value } = drawn
        const encoded = encode(codec, value)
        const prefix = encoded.subarray(0, cut % Math.max(1, encoded.length))
        if (encoded.length > 0) {
          expect(() => decode(codec, prefix)).toThrow(
            expect.objectContaining({ code: 'codec-truncated' }),
          )
        }
        const longer = new Uint8Array([...encoded, ...more])
        expect(() => decode(codec, longer)).toThrow(
          expect.objectContaining({ code: 'codec-trailing-bytes' }),
        )
      }),
      { numRuns: 2000 },
    )
  })

  it('reads arbitrary bytes as a CodecError or as a value with exactly these bytes', () => {
    fc.assert(
      fc.property(codecs, fc.uint8Array({ maxLength: 40 }), ({ codec }, bytes) => {
        let value: unknown
        try {
          value = decode(codec, bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError)
          return
        }
        expect(equalBytes(encode(codec, value), bytes)).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })
})
