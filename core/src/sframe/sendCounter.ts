import { SFrameError } from './error.ts'

const LAST = 0xffff_ffff_ffff_ffffn

/** Hands out every counter of one sending key once (RFC 9605 §9.1). */
export class SendCounter {
  #next: bigint

  constructor(first = 0n) {
    this.#next = first
  }

  get exhausted(): boolean {
    return this.#next > LAST
  }

  /** @throws SFrameError `sframe-counter-exhausted` after 2^64 - 1 */
  take(): bigint {
    if (this.exhausted) {
      throw new SFrameError('sframe-counter-exhausted', 'every counter of this key has been used', {
        remedy: 'start a new epoch',
      })
    }
    return this.#next++
  }
}
