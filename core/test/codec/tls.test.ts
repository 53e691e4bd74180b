import {
  type Codec,
  CodecError,
  type CodecErrorCode,
  decode,
  decodePrefix,
  empty,
  encode,
  encodeEach,
  encodeFor,
  extend,
  fixedOpaque,
  fromHex,
  keepingBytes,
  oneOf,
  opaque,
  optional,
  struct,
  toHex,
  uint8,
  uint16,
  uint32,
  uint64,
  variant,
  vector,
} from '@conclave/core/codec'
import { describe, expect, it } from 'vitest'

function expectCode(code: CodecErrorCode, action: () => unknown): void {
  expect(action).toThrow(expect.objectContaining({ name: 'CodecError', code }))
  expect(action).toThrow(CodecError)
}

describe('unsigned integers', () => {
  it('are big-endian', () => {
    expect(toHex(encode(uint8, 0xab))).toBe('ab')
    expect(toHex(encode(uint16, 0x0102))).toBe('0102')
    expect(toHex(encode(uint32, 0xfffefdfc))).toBe('fffefdfc')
    expect(toHex(encode(uint64, 0x0102030405060708n))).toBe('0102030405060708')
    expect(decode(uint32, fromHex('fffefdfc'))).toBe(0xfffefdfc)
    expect(decode(uint64, fromHex('ffffffffffffffff'))).toBe(2n ** 64n - 1n)
  })

  it.each([-1, 256, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('%s is not a uint8', (value) => {
    expectCode('codec-unencodable', () => encode(uint8, value))
  })

  it('beyond their width have no encoding', () => {
    expectCode('codec-unencodable', () => encode(uint16, 2 ** 16))
    expectCode('codec-unencodable', () => encode(uint32, 2 ** 32))
    expectCode('codec-unencodable', () => encode(uint64, 2n ** 64n))
    expectCode('codec-unencodable', () => encode(uint64, -1n))
  })
})

describe('opaque values', () => {
  it('longer than declared are refused in both directions', () => {
    expectCode('codec-too-long', () => decode(opaque(2), fromHex('03aabbcc')))
    expectCode('codec-unencodable', () => encode(opaque(2), new Uint8Array(3)))
  })

  it('of fixed length have no header and no other length', () => {
    expect(toHex(encode(fixedOpaque(4), fromHex('01020304')))).toBe('01020304')
    expectCode('codec-unencodable', () => encode(fixedOpaque(4), new Uint8Array(3)))
    expectCode('codec-truncated', () => decode(fixedOpaque(4), new Uint8Array(3)))
    expectCode('codec-trailing-bytes', () => decode(fixedOpaque(4), new Uint8Array(5)))
  })

  it('do not change when the buffer they were read from does', () => {
    const input = fromHex('02aabb')
    const value = decode(opaque(), input)
    input.fill(0)
    expect(toHex(value)).toBe('aabb')
  })

  it('read from a Node Buffer are plain arrays of their own', () => {
    const input = Buffer.from('02aabb', 'hex')
    const value = decode(opaque(), input)
    input.fill(0)
    expect(value.constructor).toBe(Uint8Array)
    expect(toHex(value)).toBe('aabb')
  })
})

describe('vectors', () => {
  it('of more items than declared are refused in both directions', () => {
    const atMostTwo = vector(uint8, 2)
    expect(decode(atMostTwo, encode(atMostTwo, [1, 2]))).toEqual([1, 2])
    expectCode('codec-too-long', () => decode(atMostTwo, fromHex('03010203')))
    expectCode('codec-unencodable', () => encode(atMostTwo, [1, 2, 3]))
  })

  it('whose last item is cut off by the end of the vector are truncated', () => {
    expectCode('codec-truncated', () => decode(vector(uint16), fromHex('03010203')))
  })

  it('keep their items when the header grows from one byte to two and to four', () => {
    for (const count of [63, 64, 16383, 16384]) {
      const items = Array.from({ length: count }, (_, i) => i & 0xff)
      const encoded = encode(vector(uint8), items)
      expect(encoded).toHaveLength(count + (count < 64 ? 1 : count < 16384 ? 2 : 4))
      expect(decode(vector(uint8), encoded)).toEqual(items)
    }
  })

  it('of items without any bytes end with an error instead of never', () => {
    expectCode('codec-bad-length', () => decode(vector(empty), fromHex('01aa')))
  })
})

describe('optional values', () => {
  it('are headed by 0 or 1 and by nothing else', () => {
    expect(toHex(encode(optional(uint8), undefined))).toBe('00')
    expect(toHex(encode(optional(uint8), 5))).toBe('0105')
    expect(decode(optional(uint8), fromHex('00'))).toBeUndefined()
    expect(decode(optional(uint8), fromHex('0105'))).toBe(5)
    for (let presence = 2; presence < 256; presence++) {
      expectCode('codec-unknown-case', () => decode(optional(uint8), Uint8Array.of(presence, 5)))
    }
  })
})

describe('enumerated values', () => {
  const flag = oneOf(uint8, [0, 1])

  it('other than the listed ones are refused in both directions', () => {
    expect(decode(flag, encode(flag, 1))).toBe(1)
    expectCode('codec-unknown-case', () => decode(flag, Uint8Array.of(2)))
    expectCode('codec-unencodable', () => encode(flag, 2 as 1))
  })
})

describe('variants', () => {
  const shape = variant('kind', uint16, {
    1: struct({ radius: uint8 }),
    2: struct({ width: uint8, height: uint8 }),
    3: empty,
  })

  it('write the tag and then the fields of its case', () => {
    expect(toHex(encode(shape, { kind: 2, width: 3, height: 4 }))).toBe('00020304')
    expect(toHex(encode(shape, { kind: 3 }))).toBe('0003')
    expect(decode(shape, fromHex('000109'))).toEqual({ kind: 1, radius: 9 })
  })

  it('with a tag that has no case are refused in both directions', () => {
    expectCode('codec-unknown-case', () => decode(shape, fromHex('000409')))
    expectCode('codec-unencodable', () => encode(shape, { kind: 4, radius: 9 } as never))
  })
})

describe('structs', () => {
  it('are encoded in the order in which their fields are declared', () => {
    const pair = struct({ second: uint8, first: uint8 })
    expect(toHex(encode(pair, { first: 1, second: 2 }))).toBe('0201')
  })

  it('can continue in a form that depends on what came first', () => {
    const sized = extend(struct({ size: uint8 }), ({ size }) =>
      struct({ value: fixedOpaque(size) }),
    )
    const value = fromHex('aabbcc')
    expect(toHex(encode(sized, { size: 3, value }))).toBe('03aabbcc')
    expect(decode(sized, fromHex('03aabbcc'))).toEqual({ size: 3, value })
    expectCode('codec-unencodable', () => encode(sized, { size: 2, value }))
  })

  it('can be made of codecs that somebody wrote by hand', () => {
    const tail: Codec<{ readonly twice: number }> = {
      write: ({ twice }, to) => uint8.write(twice / 2, to),
      read: (from) => ({ twice: 2 * uint8.read(from) }),
    }
    const whole = extend(struct({ a: uint8 }), () => tail)
    expect(toHex(encode(whole, { a: 1, twice: 4 }))).toBe('0102')
    expect(decode(whole, fromHex('0102'))).toEqual({ a: 1, twice: 4 })
  })

  it('followed by anything are refused', () => {
    expectCode('codec-trailing-bytes', () => decode(struct({ a: uint8 }), fromHex('0100')))
    expectCode('codec-trailing-bytes', () => decode(empty, fromHex('00')))
  })
})

describe('an encoding', () => {
  it('is nothing that a later or a failed one changes', () => {
    const first = encode(opaque(), fromHex('aabb'))
    expect(() => encode(struct({ a: opaque(), b: uint8 }), { a: first, b: 256 })).toThrow(
      CodecError,
    )
    const second = encode(opaque(), fromHex('ccdd'))
    expect(toHex(first)).toBe('02aabb')
    expect(toHex(second)).toBe('02ccdd')
  })

  it('may be made while another is being made', () => {
    const nested: Codec<number> = {
      write: (value, to) => to.opaque(encode(uint16, value)),
      read: (from) => decode(uint16, from.opaque(2)),
    }
    expect(toHex(encode(vector(nested), [1, 2]))).toBe('06020001020002')
    expect(decode(vector(nested), fromHex('06020001020002'))).toEqual([1, 2])
  })

  it('that is only passed on is wiped afterwards, also when its use fails', () => {
    let seen = new Uint8Array(0)
    const use = (bytes: Uint8Array<ArrayBuffer>) => {
      seen = bytes
      return toHex(bytes)
    }
    expect(encodeFor(opaque(), fromHex('aabb'), use)).toBe('02aabb')
    expect(toHex(seen)).toBe('000000')
    const failing = (bytes: Uint8Array<ArrayBuffer>) => {
      use(bytes)
      throw new Error('unused')
    }
    expect(() => encodeFor(opaque(), fromHex('aabb'), failing)).toThrow('unused')
    expect(toHex(seen)).toBe('000000')
  })

  it('of each of many values is the one that it has alone', () => {
    const values = [fromHex(''), new Uint8Array(3000).fill(7), fromHex('aabb')]
    const alone = values.map((value) => toHex(encode(opaque(), value)))
    expect(encodeEach(opaque(), values).map(toHex)).toEqual(alone)
    expect(encodeEach(opaque(), [])).toEqual([])
  })

  it('of a value that keeps its bytes is these, and another value’s is made anew', () => {
    let written = 0
    const counted: Codec<{ readonly a: number }> = {
      write: ({ a }, to) => {
        written += 1
        uint8.write(a, to)
      },
      read: (from) => ({ a: uint8.read(from) }),
    }
    const item = keepingBytes(counted)
    const whole = struct({ head: uint8, item })
    const bytes = fromHex('0102')
    const { item: read } = decode(whole, bytes)
    bytes.fill(0xff)
    expect(toHex(encode(whole, { head: 7, item: read }))).toBe('0702')
    expect(written).toBe(0)
    expect(toHex(encode(item, { ...read, a: 3 }))).toBe('03')
    expect(toHex(encode(item, { ...read }))).toBe('02')
    expect(written).toBe(2)
  })

  it('can be read from the beginning of longer bytes', () => {
    expect(decodePrefix(uint16, fromHex('0102aa'))).toBe(0x0102)
    expectCode('codec-truncated', () => decodePrefix(uint16, fromHex('01')))
  })
})
