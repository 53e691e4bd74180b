import {
  concatBytes,
  equalBytes,
  fromHex,
  fromUtf8,
  plainBytes,
  toHex,
  utf8,
} from '@conclave/core/codec'
import { describe, expect, it } from 'vitest'

describe('hexadecimal', () => {
  it('is read in either case and written in lower case', () => {
    expect(toHex(fromHex('00fFA0'))).toBe('00ffa0')
    expect(fromHex('')).toHaveLength(0)
  })

  it.each(['0', '0g', ' 00', '0x00', '00\n'])('refuses "%s"', (text) => {
    expect(() => fromHex(text)).toThrow(TypeError)
  })
})

describe('UTF-8', () => {
  it.each(['c3', 'ff', 'c080', 'eda080', 'f4908080'])('refuses the bytes %s', (hex) => {
    expect(fromUtf8(fromHex(hex))).toBeUndefined()
  })

  it('gives different texts for different bytes, a byte order mark included', () => {
    const marked = fromHex('efbbbf61')
    expect(fromUtf8(marked)).not.toBe(fromUtf8(utf8('a')))
    expect(toHex(utf8(fromUtf8(marked) as string))).toBe('efbbbf61')
  })
})

describe('comparison', () => {
  it('tells equal bytes from different ones and from a prefix', () => {
    expect(equalBytes(fromHex('0102'), fromHex('0102'))).toBe(true)
    expect(equalBytes(fromHex('0102'), fromHex('0103'))).toBe(false)
    expect(equalBytes(fromHex('0102'), fromHex('010200'))).toBe(false)
    expect(equalBytes(fromHex(''), fromHex(''))).toBe(true)
  })
})

describe('plain bytes', () => {
  it('of a Buffer within a pool are the same bytes without its neighbours', () => {
    const pool = Buffer.from('00aabb00', 'hex')
    const plain = plainBytes(pool.subarray(1, 3))
    expect(plain.constructor).toBe(Uint8Array)
    expect(toHex(plain)).toBe('aabb')
  })

  it('of shared memory are a copy that nobody else can change', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(1)
    const plain = plainBytes(shared)
    shared.fill(2)
    expect(toHex(plain)).toBe('0101')
  })

  it('can be joined', () => {
    expect(toHex(concatBytes(fromHex('01'), fromHex(''), fromHex('0203')))).toBe('010203')
    expect(concatBytes()).toHaveLength(0)
  })
})
