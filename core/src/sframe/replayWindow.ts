/** Counters that lie this far or further behind the highest one are too old to be told apart. */
export const REPLAY_WINDOW_SIZE = 1024

const SIZE = BigInt(REPLAY_WINDOW_SIZE)

/**
 * Which counters one receiver has taken under one KID (RFC 9605 §9.3, after RFC 3711 §3.3.2).
 *
 * A counter may jump forward by any distance. Only counters of authenticated frames may be taken,
 * else anybody could move the window.
 */
export class ReplayWindow {
  /** Bit `ctr % size` tells whether `ctr` was taken, for the `size` counters up to the highest. */
  readonly #taken = new Uint32Array(REPLAY_WINDOW_SIZE / 32)
  #highest = -1n

  /** Whether `take` would accept `ctr` now. */
  isFresh(ctr: bigint): boolean {
    if (ctr > this.#highest) return true
    if (this.#highest - ctr >= SIZE) return false
    const { word, mask } = position(ctr)
    return ((this.#taken[word] as number) & mask) === 0
  }

  /** Marks `ctr` as taken; false, without an effect, where it was taken before or is too old. */
  take(ctr: bigint): boolean {
    if (!this.isFresh(ctr)) return false
    if (ctr > this.#highest) this.#advanceTo(ctr)
    const { word, mask } = position(ctr)
    this.#taken[word] = (this.#taken[word] as number) | mask
    return true
  }

  #advanceTo(ctr: bigint): void {
    if (ctr - this.#highest >= SIZE) {
      this.#taken.fill(0)
    } else {
      for (let skipped = this.#highest + 1n; skipped <= ctr; skipped++) {
        const { word, mask } = position(skipped)
        this.#taken[word] = (this.#taken[word] as number) & ~mask
      }
    }
    this.#highest = ctr
  }
}

function position(ctr: bigint): { word: number; mask: number } {
  const bit = Number(ctr % SIZE)
  return { word: bit >>> 5, mask: 1 << (bit & 31) }
}
