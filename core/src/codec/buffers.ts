import type { Bytes } from './bytes.ts'
import { emptyBytes, plainBytes } from './bytes.ts'
import { CodecError } from './codecError.ts'

/** The largest length that a variable-size vector header can state (RFC 9420 §2.1.2). */
export const maxVectorLength = 2 ** 30 - 1

/** A growing buffer that encoders append to. */
export class Writer {
  #bytes: Bytes = new Uint8Array(256)
  #length = 0

  finish(): Bytes {
    return this.#bytes.slice(0, this.#length)
  }

  uint(value: number, size: 1 | 2 | 4): void {
    const limit = 2 ** (8 * size)
    if (!Number.isInteger(value) || value < 0 || value >= limit) {
      throw new CodecError('codec-unencodable', `${value} is not a uint${8 * size}`)
    }
    this.#reserve(size)
    for (let shift = size - 1; shift >= 0; shift--) {
      this.#bytes[this.#length++] = Math.floor(value / 2 ** (8 * shift)) & 0xff
    }
  }

  uint64(value: bigint): void {
    if (value < 0n || value >= 1n << 64n) {
      throw new CodecError('codec-unencodable', `${value} is not a uint64`)
    }
    this.uint(Number(value >> 32n), 4)
    this.uint(Number(value & 0xffffffffn), 4)
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /**
   * Writes what `content` appends, headed by its length in the shortest form. Contents are mostly
   * short, so one byte is kept free for the header and longer contents are moved.
   */
  vector(content: () => void): void {
    const start = this.#length
    this.#reserve(1)
    this.#length += 1
    content()
    const length = this.#length - start - 1
    const headerSize = lengthHeaderSize(length)
    if (headerSize > 1) {
      this.#reserve(headerSize - 1)
      this.#bytes.copyWithin(start + headerSize, start + 1, this.#length)
      this.#length += headerSize - 1
    }
    this.#header(start, length, headerSize)
  }

  opaque(bytes: Uint8Array): void {
    const headerSize = lengthHeaderSize(bytes.length)
    this.#reserve(headerSize + bytes.length)
    this.#header(this.#length, bytes.length, headerSize)
    this.#bytes.set(bytes, this.#length + headerSize)
    this.#length += headerSize + bytes.length
  }

  #header(at: number, length: number, size: 1 | 2 | 4): void {
    const prefix = size === 1 ? 0 : size === 2 ? 0x40 : 0x80
    for (let i = 0; i < size; i++) {
      this.#bytes[at + i] = (length >>> (8 * (size - 1 - i))) & 0xff
    }
    this.#bytes[at] = (this.#bytes[at] as number) | prefix
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

function lengthHeaderSize(length: number): 1 | 2 | 4 {
  if (length < 64) return 1
  if (length < 16384) return 2
  if (length <= maxVectorLength) return 4
  throw new CodecError('codec-unencodable', `a vector of ${length} bytes has no length header`)
}

/** A cursor over received bytes. Every read is checked against the end of the enclosing value. */
export class Reader {
  readonly #bytes: Bytes
  #position = 0
  #end: number

  constructor(bytes: Uint8Array) {
    this.#bytes = plainBytes(bytes)
    this.#end = this.#bytes.length
  }

  get remaining(): number {
    return this.#end - this.#position
  }

  /** @throws CodecError `codec-trailing-bytes` */
  finish(): void {
    if (this.remaining > 0) {
      throw new CodecError('codec-trailing-bytes', `${this.remaining} bytes after the value`)
    }
  }

  uint(size: 1 | 2 | 4): number {
    const start = this.#take(size)
    let value = 0
    for (let i = 0; i < size; i++) value = value * 256 + (this.#bytes[start + i] as number)
    return value
  }

  uint64(): bigint {
    const high = this.uint(4)
    return (BigInt(high) << 32n) | BigInt(this.uint(4))
  }

  /** A copy: a small value must not keep a large message alive or change with its buffer. */
  raw(length: number): Bytes {
    if (length === 0) return emptyBytes
    const start = this.#take(length)
    return this.#bytes.slice(start, start + length)
  }

  opaque(maxLength: number): Bytes {
    return this.raw(this.#vectorLength(maxLength))
  }

  /** Calls `item` until the vector that starts here is used up; nothing may reach beyond its end. */
  vector(maxLength: number, item: () => void): void {
    const length = this.#vectorLength(maxLength)
    const outerEnd = this.#end
    const end = this.#position + length
    if (end > outerEnd) throw truncated()
    this.#end = end
    while (this.#position < end) {
      const start = this.#position
      item()
      if (this.#position === start) {
        throw new CodecError('codec-bad-length', 'a vector of items that take no bytes')
      }
    }
    this.#end = outerEnd
  }

  /** RFC 9420 §2.1.2: a variable-length integer must be in its minimal form. */
  #vectorLength(maxLength: number): number {
    const first = this.uint(1)
    const prefix = first >> 6
    let length = first & 0x3f
    if (prefix === 3) throw new CodecError('codec-bad-length', 'reserved length prefix 0b11')
    if (prefix === 1) length = length * 256 + this.uint(1)
    if (prefix === 2) length = (length * 256 + this.uint(1)) * 65536 + this.uint(2)
    if ((prefix === 1 && length < 64) || (prefix === 2 && length < 16384)) {
      throw new CodecError('codec-bad-length', `length ${length} is not in its shortest form`)
    }
    if (length > maxLength) {
      throw new CodecError('codec-too-long', `${length} bytes where ${maxLength} are allowed`)
    }
    return length
  }

  #take(count: number): number {
    const start = this.#position
    if (start + count > this.#end) throw truncated()
    this.#position = start + count
    return start
  }
}

function truncated(): CodecError {
  return new CodecError('codec-truncated', 'the input ends inside a value')
}
