import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate } from '@peculiar/asn1-x509'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, concatBytes, emptyBytes, fromHex, utf8 } from '../../src/codec/bytes.ts'
import { readCertificate, subjectOf } from '../../src/credentials/certificate.ts'
import { CredentialError, readRevocationList } from '../../src/credentials/index.ts'
import { refusal } from '../mls/refusals.ts'
import {
  bits,
  certificateOf,
  commonName,
  ed25519,
  element,
  extension,
  generalizedTime,
  integer,
  listOf,
  now,
  oid,
  type Parts,
  sequence,
  utcTime,
} from './der.ts'

const malformed = refusal('credential-malformed')
const strange = [0x7f]
const isTrue = element(0x01, Uint8Array.of(0xff))

/** The element with its length in another form: these octets instead of one. */
function withLength(encoded: Bytes, ...length: readonly number[]): Bytes {
  return concatBytes(encoded.subarray(0, 1), Uint8Array.from(length), encoded.subarray(2))
}

function nested(tag: number, depth: number): Bytes {
  let inside = emptyBytes
  for (let i = 0; i < depth; i++) inside = element(tag, inside)
  return inside
}

describe('a certificate put together by hand', () => {
  it.each<[string, Parts]>([
    ['of version 3', {}],
    ['of version 1, which is left out', { version: emptyBytes }],
    [
      'with an extension that is critical',
      { extensions: sequence(extension(strange, now, isTrue)) },
    ],
    ['with an extension that is not', { extensions: sequence(extension(strange, now)) }],
    ['with times of both kinds', { validity: sequence(now, generalizedTime('20500101000000Z')) }],
    ['with a unique identifier', { signedExtra: element(0x81, Uint8Array.of(0, 1)) }],
    ['with a name of no text', { subject: commonName(Uint8Array.of(1, 2), 0x04) }],
    ['without a name', { subject: sequence() }],
  ])('%s is read', (_, parts) => {
    expect(readCertificate(certificateOf(parts)).serialNumber).toBe('01')
  })
})

/** What the library reads without a word. */
const laxities: readonly [string, Parts][] = [
  [
    'a length of one octet that would do with none',
    { serialNumber: withLength(integer(1), 0x81, 1) },
  ],
  ['a length with a leading zero', { signature: withLength(bits(0, utf8('s')), 0x82, 0, 2) }],
  ['an indefinite length', { validity: concatBytes(fromHex('3080'), now, now, fromHex('0000')) }],
  ['something after the certificate’s parts', { extra: integer(1) }],
  [
    'something after what is signed',
    { extensions: sequence(extension(strange, now)), signedExtra: integer(1) },
  ],
  ['something after the validity', { validity: sequence(now, now, now) }],
  ['something after the key', { publicKey: sequence(ed25519, bits(0), integer(1)) }],
  ['a default that is not left out', { version: element(0xa0, integer(0)) }],
  [
    'a FALSE that is not left out',
    { extensions: sequence(extension(strange, now, element(0x01, Uint8Array.of(0)))) },
  ],
  [
    'another TRUE',
    { extensions: sequence(extension(strange, now, element(0x01, Uint8Array.of(1)))) },
  ],
  ['a signature of seven bits', { signature: bits(1, Uint8Array.of(0xfe)) }],
  ['a NULL that says something', { algorithm: sequence(oid(0x2a), element(0x05, utf8('!'))) }],
  ['an object identifier with padding', { algorithm: sequence(oid(0x2a, 0x80, 0x01)) }],
  ['an object identifier without end', { algorithm: sequence(oid(...Array(40).fill(0xff), 1)) }],
  ['a number in a longer form', { version: element(0xa0, integer(0, 2)) }],
  ['a serial number in a longer form', { serialNumber: integer(0, 1) }],
  ['a serial number below zero in a longer form', { serialNumber: integer(0xff, 0x80) }],
  ['a serial number of no octets', { serialNumber: integer() }],
  ['a day that does not exist', { validity: sequence(utcTime('230229000000Z'), now) }],
  ['a month that does not exist', { validity: sequence(utcTime('231301000000Z'), now) }],
  ['an hour that does not exist', { validity: sequence(utcTime('230101240000Z'), now) }],
  ['a time with letters around it', { validity: sequence(utcTime('x230101000000Zx'), now) }],
  ['a time of another zone', { validity: sequence(now, generalizedTime('20500101000000+0100')) }],
  ['a time without seconds', { validity: sequence(now, generalizedTime('205001010000Z')) }],
  ['a name that is no UTF-8', { subject: commonName(Uint8Array.of(0xc3)) }],
]

/** What the library refuses, too, with errors of its own. */
const offences: readonly [string, Parts][] = [
  ['a version of its own', { version: element(0xa0, integer(1)) }],
  ['a tag of several octets', { signature: fromHex('1f0101') }],
  ['a length beyond the end', { signature: fromHex('0305ffff') }],
  ['a length beyond all ends', { signature: fromHex('0388ffffffffffffffff') }],
  ['a length in nine octets', { signature: fromHex('0389010000000000000000') }],
  ['elements within elements without end', { algorithm: sequence(oid(0x2a), nested(0x30, 1500)) }],
  ['elements without number', { subject: sequence(new Uint8Array(4000).fill(0x31)) }],
  ['names without number', { subject: sequence(...Array(2000).fill(element(0x31))) }],
  ['something in place of the extensions', { signedExtra: integer(1) }],
  ['a key that is none', { publicKey: integer(1) }],
  ['a time that is none', { validity: sequence(integer(1), now) }],
  ['a constructed bit string', { signature: element(0x23, bits(0)) }],
]

describe('a certificate with', () => {
  it.each([...laxities, ...offences])('%s is malformed', (_, parts) => {
    expect(() => readCertificate(certificateOf(parts))).toThrow(malformed)
  })

  it.each(laxities)('%s would be taken by the library alone', (_, parts) => {
    AsnConvert.parse(certificateOf(parts), Certificate)
  })

  it('something before or behind it is malformed', () => {
    const encoded = certificateOf({})
    for (const changed of [
      concatBytes(encoded, Uint8Array.of(0)),
      concatBytes(Uint8Array.of(0), encoded),
      encoded.slice(0, -1),
      emptyBytes,
    ]) {
      expect(() => readCertificate(changed)).toThrow(malformed)
    }
  })

  it('octet strings within octet strings is read without looking into them', () => {
    const extensions = sequence(extension(strange, nested(0x04, 1500)))
    expect(readCertificate(certificateOf({ extensions })).extensions.size).toBe(1)
    const algorithm = sequence(oid(0x2a), nested(0x04, 1500))
    expect(readCertificate(certificateOf({ algorithm })).algorithm).toEqual(algorithm)
  })
})

describe('an extension’s value with', () => {
  const [basicConstraints, keyUsage, subjectAltName] = [[0x13], [0x0f], [0x11]]

  it.each<[string, number[], Bytes]>([
    ['a FALSE that is not left out', basicConstraints, sequence(element(0x01, Uint8Array.of(0)))],
    ['a negative path length', basicConstraints, sequence(isTrue, integer(0xff))],
    ['a path length without end', basicConstraints, sequence(isTrue, integer(1, 0, 0, 0))],
    ['a path length in a longer form', basicConstraints, sequence(isTrue, integer(0, 1))],
    ['something after it', basicConstraints, concatBytes(sequence(isTrue), integer(1))],
    ['something that it does not have', basicConstraints, sequence(isTrue, integer(1), now)],
    ['too many unused bits', keyUsage, bits(9, Uint8Array.of(0xff))],
    ['another type', keyUsage, integer(1)],
  ])('%s is malformed', (_, of, value) => {
    const encoded = certificateOf({ extensions: sequence(extension(of, value)) })
    expect(() => readCertificate(encoded)).toThrow(malformed)
  })

  it.each<[string, Bytes]>([
    ['letters that it cannot have', sequence(element(0x81, utf8('änn@example.org')))],
    ['the end of a string', sequence(element(0x82, utf8('example.org\0.example.com')))],
    ['a name of a kind that does not exist', sequence(element(0x89, utf8('ann')))],
    ['names without number', sequence(...Array(2000).fill(element(0x82, utf8('a'))))],
    ['a length in a longer form', sequence(withLength(element(0x82, utf8('a')), 0x81, 1))],
  ])('%s for a name is malformed', (_, value) => {
    const encoded = certificateOf({ extensions: sequence(extension(subjectAltName, value)) })
    expect(() => subjectOf(readCertificate(encoded))).toThrow(malformed)
  })

  it('names of other kinds names nobody', () => {
    const otherName = element(0xa0, oid(0x2a), element(0xa0, element(0x0c, utf8('ann'))))
    const directoryName = element(0xa4, commonName(utf8('Ann')))
    const address = element(0x87, Uint8Array.of(127, 0, 0, 1))
    const registered = element(0x88, Uint8Array.of(0x2a))
    const value = sequence(otherName, directoryName, address, registered)
    const encoded = certificateOf({ extensions: sequence(extension(subjectAltName, value)) })
    expect(subjectOf(readCertificate(encoded)).alternativeNames).toEqual([])
  })

  it('path lengths are counted', () => {
    for (const [octets, pathLength] of [
      [[0], 0],
      [[0x7f], 127],
      [[0, 0x80], 128],
      [[0x7f, 0xff], 32767],
    ] as const) {
      const value = sequence(isTrue, integer(...octets))
      const encoded = certificateOf({ extensions: sequence(extension(basicConstraints, value)) })
      expect(readCertificate(encoded).authority).toEqual({ pathLength })
    }
  })
})

describe('a revocation list with', () => {
  const entry = sequence(integer(7), now)
  const harmless = extension(strange, now)

  it('entries says whom it revokes', () => {
    for (const none of [undefined, []]) {
      expect(readRevocationList(listOf(none)).revoked).toEqual(new Set())
    }
    const entries = [entry, sequence(integer(0, 0x80), now, sequence())]
    entries.push(sequence(integer(9), now, sequence(harmless)))
    expect(readRevocationList(listOf(entries)).revoked).toEqual(new Set(['07', '0080', '09']))
  })

  it.each<[string, Bytes]>([
    ['a serial number in a longer form', sequence(integer(0, 7), now)],
    ['an entry without a time', sequence(integer(7))],
    ['an entry of another type', integer(7)],
    ['an entry that says more', sequence(integer(7), now, sequence(), now)],
    ['a day that does not exist', sequence(integer(7), utcTime('230229000000Z'))],
    ['an extension twice', sequence(integer(7), now, sequence(harmless, harmless))],
  ])('%s is malformed, and no shorter list', (_, wrong) => {
    expect(() => readRevocationList(listOf([entry, wrong, entry]))).toThrow(malformed)
    expect(() => readRevocationList(listOf([wrong]))).toThrow(malformed)
  })

  it('no time of the next one cannot be read, whether it revokes anything or not', () => {
    for (const entries of [undefined, [entry]]) {
      expect(() => readRevocationList(listOf(entries, emptyBytes))).toThrow(
        refusal('credential-revocation-list-invalid'),
      )
    }
  })

  it('more entries than a certificate has elements is read whole', () => {
    const entries = Array.from({ length: 2000 }, (_, i) =>
      sequence(integer(1, i >> 8, i & 0xff), now),
    )
    expect(readRevocationList(listOf(entries)).revoked.size).toBe(2000)
  })

  it('more bytes than anyone takes in is too large', () => {
    expect(() => readRevocationList(new Uint8Array(2 ** 22 + 1))).toThrow(
      refusal('credential-too-large'),
    )
  })
})

const times = fc.date({
  min: new Date('0100-01-01'),
  max: new Date('9999-12-31'),
  noInvalidDate: true,
})

describe('reading', () => {
  it('tells every second of every year as Date does', () => {
    fc.assert(
      fc.property(times, (date) => {
        date.setUTCMilliseconds(0)
        const text = date.toISOString().replace(/[-:T]/g, '').replace('.000Z', 'Z')
        const year = date.getUTCFullYear()
        const short = year >= 1950 && year < 2050 ? utcTime(text.slice(2)) : generalizedTime(text)
        const read = readCertificate(
          certificateOf({ validity: sequence(generalizedTime(text), short) }),
        )
        expect([read.notBefore, read.notAfter]).toEqual([date.getTime(), date.getTime()])
      }),
    )
  })

  it('survives anything', () => {
    const anything = fc.letrec<{ element: Bytes }>((tie) => ({
      element: fc
        .tuple(
          fc.constantFrom(0x30, 0x31, 0xa0, 0xa3, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x17, 0x18),
          fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.array(tie('element'), { maxLength: 4 })),
        )
        .map(([tag, content]) => element(tag, ...(Array.isArray(content) ? content : [content]))),
    })).element
    const read = (reader: (encoded: Uint8Array) => unknown, encoded: Uint8Array) => {
      try {
        reader(encoded)
        return true
      } catch (error) {
        return error instanceof CredentialError
      }
    }
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 64 }), anything),
        anything,
        (encoded, part) =>
          read(readCertificate, encoded) &&
          read(readCertificate, certificateOf({ signedExtra: part, publicKey: part })) &&
          read(readRevocationList, encoded) &&
          read(readRevocationList, listOf([part])),
      ),
    )
  })
})
