/** Counters that lie this far or further behind the highest one are too old to be told apart. */
export const REPLAY_WINDOW_SIZE = 1024

/** A power of two, so that the low bits of a counter are its place. */
const PLACE_BITS = Math.log2(REPLAY_WINDOW_SIZE)

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
    return this.#isFresh(ctr, this.#distance(ctr))
  }

  /** Marks `ctr` as taken; false, without an effect, where it was taken before or is too old. */
  take(ctr: bigint): boolean {
    const distance = this.#distance(ctr)
    if (!this.#isFresh(ctr, distance)) return false
    const place = placeOf(ctr)
    if (distance > 0) {
      this.#forgetBefore(place, distance)
      this.#highest = ctr
    }
    this.#taken[place >>> 5] = (this.#taken[place >>> 5] as number) | bitOf(place)
    return true
  }

  #isFresh(ctr: bigint, distance: number): boolean {
    if (distance > 0) return true
    if (distance <= -REPLAY_WINDOW_SIZE) return false
    const place = placeOf(ctr)
    return ((this.#taken[place >>> 5] as number) & bitOf(place)) === 0
  }

  /** How far ahead of the highest `ctr` is. Exact wherever it is near, and that alone matters. */
  #distance(ctr: bigint): number {
    return Number(ctr - this.#highest)
  }

  /** Clears the places of the counters that a jump over `distance` brings, the last at `place`. */
  #forgetBefore(place: number, distance: number): void {
    if (distance >= REPLAY_WINDOW_SIZE) {
      this.#taken.fill(0)
      return
    }
    for (let back = 0; back < distance; back++) {
      const at = (place - back) & (REPLAY_WINDOW_SIZE - 1)
      this.#taken[at >>> 5] = (this.#taken[at >>> 5] as number) & ~bitOf(at)
    }
  }
}

function placeOf(ctr: bigint): number {
  return Number(BigInt.asUintN(PLACE_BITS, ctr))
}

function bitOf(place: number): number {
  return 1 << (place & 31)
}
