import type { Bytes } from '../../codec/bytes.ts'

/**
 * Where bytes stand in a buffer that others share. A tree keeps thousands of short encodings, and an
 * array object for each would take more memory than what is in it.
 */
export class PackedBytes {
  readonly #buffer: ArrayBuffer
  readonly #start: number
  readonly #length: number

  /** `bytes` are not copied. */
  constructor({ buffer, byteOffset, length }: Bytes) {
    this.#buffer = buffer
    this.#start = byteOffset
    this.#length = length
  }

  /** The bytes, for passing use. */
  get view(): Bytes {
    return new Uint8Array(this.#buffer, this.#start, this.#length)
  }
}
