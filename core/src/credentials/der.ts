import { type Bytes, plainBytes, toHex } from '../codec/bytes.ts'
import { CredentialError } from './credentialError.ts'

/** Identifier octets of X.690, as far as certificates use them. */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** A context-specific tag around other elements: `[n] EXPLICIT`, or a constructed `[n] IMPLICIT`. */
export function constructed(n: number): number {
  return 0xa0 + n
}

/** A context-specific tag in place of a primitive type's own: `[n] IMPLICIT`. */
export function primitive(n: number): number {
  return 0x80 + n
}

export interface DerElement {
  readonly tag: number
  /** The value alone. */
  readonly content: Bytes
  /** Tag, length and value. */
  readonly encoded: Bytes
}

export function malformed(what: string): CredentialError {
  return new CredentialError('credential-malformed', what)
}

/**
 * A cursor over the elements of a DER encoding (X.690 §10), which has one form only: lengths are
 * definite and as short as can be. What it hands out are views of the same memory.
 *
 * BER is not read, so that no certificate means one thing here and another elsewhere.
 */
export class DerReader {
  readonly #bytes: Bytes
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = plainBytes(bytes)
  }

  get atEnd(): boolean {
    return this.#position === this.#bytes.length
  }

  startsWith(tag: number): boolean {
    return this.#bytes[this.#position] === tag
  }

  /** The next element, or undefined where it has another tag or none is left. */
  optional(tag: number): DerElement | undefined {
    return this.startsWith(tag) ? this.any() : undefined
  }

  /** @throws CredentialError `credential-malformed` */
  next(tag: number): DerElement {
    const element = this.optional(tag)
    if (element === undefined) throw malformed(`no element with tag ${tag}`)
    return element
  }

  /** @throws CredentialError `credential-malformed` */
  any(): DerElement {
    const start = this.#position
    const tag = this.#octet()
    // Tags of several octets occur nowhere in a certificate.
    if ((tag & 0x1f) === 0x1f) throw malformed('a tag of several octets')
    const length = this.#length()
    const from = this.#position
    const end = from + length
    if (end > this.#bytes.length) throw malformed('an element reaches beyond its end')
    this.#position = end
    return {
      tag,
      content: this.#bytes.subarray(from, end),
      encoded: this.#bytes.subarray(start, end),
    }
  }

  /** What stands inside the next element, which has this tag. */
  inside(tag: number): DerReader {
    return new DerReader(this.next(tag).content)
  }

  /** @throws CredentialError `credential-malformed` */
  finish(): void {
    if (!this.atEnd) throw malformed('something follows where nothing may')
  }

  #length(): number {
    const first = this.#octet()
    if (first < 0x80) return first
    const size = first & 0x7f
    // Four octets could state more than any of our inputs has; 0x80 is BER's indefinite form.
    if (size === 0 || size > 3) throw malformed('a length in a form that DER does not have')
    let length = 0
    for (let i = 0; i < size; i++) length = length * 256 + this.#octet()
    if (length < 0x80 || length < 2 ** (8 * (size - 1))) {
      throw malformed('a length that is not in its shortest form')
    }
    return length
  }

  #octet(): number {
    const octet = this.#bytes[this.#position]
    if (octet === undefined) throw malformed('the encoding ends inside an element')
    this.#position += 1
    return octet
  }
}

/** The whole of `bytes` as one element with this tag. */
export function readWhole(bytes: Uint8Array, tag: number): DerReader {
  const reader = new DerReader(bytes)
  const inside = reader.inside(tag)
  reader.finish()
  return inside
}

/** An object identifier in hexadecimal form. */
export function readOid(from: DerReader): string {
  return toHex(from.next(Tag.objectIdentifier).content)
}

/** An integer in hexadecimal form: DER has one encoding for each. */
export function readInteger(from: DerReader): string {
  const { content } = from.next(Tag.integer)
  const [first, second = 0] = content
  const padded =
    content.length > 1 && (first === 0 ? second < 0x80 : first === 0xff && second >= 0x80)
  if (first === undefined || padded) throw malformed('an integer that is not in its shortest form')
  return toHex(content)
}

/** A small number that is not negative. */
export function readCount(from: DerReader): number {
  const hex = readInteger(from)
  const value = Number.parseInt(hex, 16)
  if (hex.length > 6 || value >= 2 ** (4 * hex.length - 1)) throw malformed('a number out of range')
  return value
}

/** X.690 §11.1: true is 0xff. A BOOLEAN whose default is false is left out where it is false. */
export function readFlag(from: DerReader): boolean {
  const element = from.optional(Tag.boolean)
  if (element === undefined) return false
  if (element.content.length !== 1 || element.content[0] !== 0xff) throw malformed('not a BOOLEAN')
  return true
}

/** A BIT STRING of whole octets: a key or a signature. */
export function readOctets(from: DerReader): Bytes {
  const { content } = from.next(Tag.bitString)
  if (content[0] !== 0) throw malformed('a bit string that is not of whole octets')
  return content.subarray(1)
}

const digits = /^\d+Z$/
const daysBeforeMonth = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]

/** RFC 5280 §4.1.2.5: milliseconds since the Unix epoch. */
export function readTime(from: DerReader): number {
  const { tag, content } = from.any()
  const text = String.fromCharCode(...content)
  const yearDigits = tag === Tag.utcTime ? 2 : tag === Tag.generalizedTime ? 4 : 0
  if (yearDigits === 0 || text.length !== yearDigits + 11 || !digits.test(text)) {
    throw malformed('not a time as certificates state it')
  }
  const stated = Number(text.slice(0, yearDigits))
  const year = yearDigits === 4 ? stated : stated + (stated < 50 ? 2000 : 1900)
  const [month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = [0, 2, 4, 6, 8].map((at) =>
    Number(text.slice(yearDigits + at, yearDigits + at + 2)),
  )
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const monthEnd = (daysBeforeMonth[month] ?? 365) + (leap && month >= 2 ? 1 : 0)
  const monthStart = (daysBeforeMonth[month - 1] ?? 365) + (leap && month > 2 ? 1 : 0)
  const inRange = month >= 1 && month <= 12 && day >= 1 && day <= monthEnd - monthStart
  if (!inRange || hours > 23 || minutes > 59 || seconds > 59) throw malformed('no such time')
  const years = year - 1
  const days =
    365 * years +
    Math.floor(years / 4) -
    Math.floor(years / 100) +
    Math.floor(years / 400) +
    monthStart +
    day -
    1 -
    daysBefore1970
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
}

/** Days from the beginning of year 1 to that of 1970. */
const daysBefore1970 = 719_162
