import type { Bytes } from './bytes.ts'
import { emptyBytes, plainBytes } from './bytes.ts'
import { CodecError } from './codecError.ts'

/** The largest length that a variable-size vector header can state (RFC 9420 §2.1.2). */
export const maxVectorLength = 2 ** 30 - 1

const limits = { 1: 2 ** 8, 2: 2 ** 16, 4: 2 ** 32 } as const

/** Beyond this a buffer is not worth keeping for the next encoding. */
const maxSpareLength = 2 ** 16

/** The buffer that the last encoding grew, unless one is being made. It holds zeros only. */
let spare: Bytes | undefined

/**
 * A growing buffer that encoders append to. What is encoded may be secret, so that a buffer is
 * overwritten before it is dropped or used again.
 */
export class Writer {
  #bytes: Bytes
  #length = 0

  constructor() {
    this.#bytes = spare ?? new Uint8Array(1024)
    spare = undefined
  }

  get length(): number {
    return this.#length
  }

  /** A copy of what has been written. */
  finish(): Bytes {
    return this.#bytes.slice(0, this.#length)
  }

  /** What has been written, until the writer is released. */
  get view(): Bytes {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Ends the use of this writer and of its view. */
  release(): void {
    this.#bytes.fill(0, 0, this.#length)
    if (this.#bytes.length <= maxSpareLength) spare = this.#bytes
    this.#bytes = emptyBytes
    this.#length = 0
  }

  uint(value: number, size: 1 | 2 | 4): void {
    if (!Number.isInteger(value) || value < 0 || value >= limits[size]) {
      throw new CodecError('codec-unencodable', `${value} is not a uint${8 * size}`)
    }
    let at = this.#reserve(size)
    const bytes = this.#bytes
    if (size === 4) {
      bytes[at++] = value >>> 24
      bytes[at++] = value >>> 16
    }
    if (size > 1) bytes[at++] = value >>> 8
    bytes[at] = value
  }

  uint64(value: bigint): void {
    if (value < 0n || value >= 1n << 64n) {
      throw new CodecError('codec-unencodable', `${value} is not a uint64`)
    }
    this.uint(Number(value >> 32n), 4)
    this.uint(Number(value & 0xffffffffn), 4)
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length)
    this.#bytes.set(bytes, at)
  }

  /**
   * Writes what `content` appends, headed by its length in the shortest form. Contents are mostly
   * short, so one byte is kept free for the header and longer contents are moved.
   */
  vector(content: () => void): void {
    const start = this.#reserve(1)
    content()
    const length = this.#length - start - 1
    const headerSize = lengthHeaderSize(length)
    if (headerSize > 1) {
      this.#reserve(headerSize - 1)
      this.#bytes.copyWithin(start + headerSize, start + 1, start + 1 + length)
    }
    this.#header(start, length, headerSize)
  }

  opaque(bytes: Uint8Array): void {
    const headerSize = lengthHeaderSize(bytes.length)
    const at = this.#reserve(headerSize + bytes.length)
    this.#header(at, bytes.length, headerSize)
    this.#bytes.set(bytes, at + headerSize)
  }

  #header(at: number, length: number, size: 1 | 2 | 4): void {
    const bytes = this.#bytes
    if (size === 1) {
      bytes[at] = length
    } else if (size === 2) {
      bytes[at] = 0x40 | (length >>> 8)
      bytes[at + 1] = length
    } else {
      bytes[at] = 0x80 | (length >>> 24)
      bytes[at + 1] = length >>> 16
      bytes[at + 2] = length >>> 8
      bytes[at + 3] = length
    }
  }

  /** Makes room for `count` more bytes and returns where they begin. */
  #reserve(count: number): number {
    const start = this.#length
    this.#length = start + count
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length))
      grown.set(this.#bytes.subarray(0, start))
      this.#bytes.fill(0, 0, start)
      this.#bytes = grown
    }
    return start
  }
}

/** Bytes of the header of a vector of `length` bytes (RFC 9420 §2.1.2). */
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
    // All that is read is copied out, so that only a Buffer's own way of slicing is in the way.
    this.#bytes = bytes.constructor === Uint8Array ? (bytes as Bytes) : plainBytes(bytes)
    this.#end = bytes.length
  }

  get position(): number {
    return this.#position
  }

  /** A copy of what has been read from that position on. */
  since(position: number): Bytes {
    return this.#bytes.slice(position, this.#position)
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
    const end = this.#take(size) + size
    const bytes = this.#bytes
    let value = bytes[end - 1] as number
    if (size > 1) value += (bytes[end - 2] as number) * 0x100
    if (size > 2) {
      value += (bytes[end - 3] as number) * 0x10000 + (bytes[end - 4] as number) * 0x1000000
    }
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
