import { type Bytes, concatBytes } from '../../codec/bytes.ts'

/**
 * Bytes inside a larger buffer. A tree keeps thousands of short encodings, and an array object for
 * each would take more memory than what is in it.
 */
export class PackedBytes {
  readonly #buffer: Bytes
  readonly #start: number
  readonly #end: number

  private constructor(buffer: Bytes, start: number, end: number) {
    this.#buffer = buffer
    this.#start = start
    this.#end = end
  }

  /** All of `parts`, copied into one buffer. */
  static pack(parts: readonly Bytes[]): readonly PackedBytes[] {
    const buffer = concatBytes(...parts)
    let start = 0
    return parts.map(({ length }) => {
      const packed = new PackedBytes(buffer, start, start + length)
      start += length
      return packed
    })
  }

  static of(bytes: Bytes): PackedBytes {
    return new PackedBytes(bytes, 0, bytes.length)
  }

  /** A view of the bytes, for passing use. */
  get bytes(): Bytes {
    return this.#buffer.subarray(this.#start, this.#end)
  }
}
