import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, fromHex, toHex, utf8 } from '../../src/codec/bytes.ts'
import {
  DerReader,
  readCount,
  readFlag,
  readInteger,
  readTime,
  readWhole,
  Tag,
} from '../../src/credentials/der.ts'
import { refusal } from '../mls/refusals.ts'

const malformed = refusal('credential-malformed')

function element(tag: number, content: Bytes): Bytes {
  return Uint8Array.of(tag, content.length, ...content)
}

const validDates = fc.date({
  min: new Date('0001-01-01'),
  max: new Date('9999-12-31'),
  noInvalidDate: true,
})

describe('DER', () => {
  it.each([
    ['a length of one octet that would do with none', '0481030102ff'],
    ['a length with a leading zero', `04820080${'00'.repeat(128)}`],
    ['an indefinite length', '04800000'],
    ['a length of four octets', '048400000001ff'],
    ['a tag of several octets', '1f0101'],
    ['an element without a length', '04'],
    ['an element that ends early', '0405ffff'],
  ])('has no %s', (_, hex) => {
    expect(() => new DerReader(fromHex(hex)).any()).toThrow(malformed)
  })

  it('reads nothing beyond the one element that it was asked for', () => {
    expect(() => readWhole(fromHex('300000'), Tag.sequence)).toThrow(malformed)
    expect(() => readWhole(fromHex('3100'), Tag.sequence)).toThrow(malformed)
    expect(readWhole(fromHex('3000'), Tag.sequence).atEnd).toBe(true)
  })

  it.each(['0200', '02020001', '0202007f', '0202ff80', '0203000000'])(
    'has no integer %s',
    (hex) => {
      expect(() => readInteger(new DerReader(fromHex(hex)))).toThrow(malformed)
    },
  )

  it.each([
    ['020100', 0],
    ['02017f', 127],
    ['02020080', 128],
    ['02027fff', 32767],
  ])('counts %s as %i', (hex, count) => {
    expect(readCount(new DerReader(fromHex(hex)))).toBe(count)
  })

  it('has no negative and no large counts', () => {
    for (const hex of ['0201ff', '0202ff7f', '020401000000']) {
      expect(() => readCount(new DerReader(fromHex(hex)))).toThrow(malformed)
    }
  })

  it('has one form of true', () => {
    expect(readFlag(new DerReader(fromHex('0101ff')))).toBe(true)
    expect(readFlag(new DerReader(fromHex('0500')))).toBe(false)
    for (const hex of ['010101', '010100', '0102ffff']) {
      expect(() => readFlag(new DerReader(fromHex(hex)))).toThrow(malformed)
    }
  })

  it('tells every second of every year as Date does', () => {
    fc.assert(
      fc.property(validDates, (date) => {
        date.setUTCMilliseconds(0)
        const text = date.toISOString().replace(/[-:T]/g, '').replace('.000Z', 'Z')
        expect(readTime(new DerReader(element(Tag.generalizedTime, utf8(text))))).toBe(
          date.getTime(),
        )
        if (date.getUTCFullYear() >= 1950 && date.getUTCFullYear() < 2050) {
          expect(readTime(new DerReader(element(Tag.utcTime, utf8(text.slice(2)))))).toBe(
            date.getTime(),
          )
        }
      }),
    )
  })

  it.each([
    '20230229000000Z',
    '21000229000000Z',
    '20231301000000Z',
    '20230001000000Z',
    '20230100000000Z',
    '20230431000000Z',
    '20230101240000Z',
    '20230101006000Z',
    '20230101000060Z',
    '202301010000Z',
    '20230101000000+0100',
    '2023010100000 Z',
  ])('has no time %s', (text) => {
    expect(() => readTime(new DerReader(element(Tag.generalizedTime, utf8(text))))).toThrow(
      malformed,
    )
  })

  it('survives anything', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          const reader = new DerReader(bytes)
          let read = ''
          while (!reader.atEnd) read += toHex(reader.any().encoded)
          return read === toHex(bytes)
        } catch (error) {
          return error instanceof Error && error.name === 'CredentialError'
        }
      }),
    )
  })
})
