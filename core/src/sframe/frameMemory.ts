import type { Bytes } from '../codec/bytes.ts'

/** So much is fetched at once, in bytes: the small parts of some two hundred frames. */
const SLAB_BYTES = 8192

/**
 * Memory for the small parts of frames, such as nonces. Nobody gets the same bytes twice, so that
 * nothing rests on when a platform reads what it is given. One large buffer is cut up, since a buffer
 * for each part takes a platform longer than the part itself.
 */
export class FrameMemory {
  #slab = new ArrayBuffer(0)
  #taken = 0

  /** @returns so many bytes, each of them 0 */
  take(length: number): Bytes {
    if (length > SLAB_BYTES / 4) return new Uint8Array(length)
    if (this.#taken + length > this.#slab.byteLength) {
      this.#slab = new ArrayBuffer(SLAB_BYTES)
      this.#taken = 0
    }
    const part = new Uint8Array(this.#slab, this.#taken, length)
    this.#taken += length
    return part
  }
}
