import type { Clock } from '@conclave/core'

/** A token bucket: `perSecond` over time, ten seconds' worth at once. */
export class RateLimit {
  readonly #perSecond: number
  readonly #burst: number
  readonly #clock: Clock
  #available: number
  #refilledAt: number

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond
    this.#burst = perSecond * 10
    this.#clock = clock
    this.#available = this.#burst
    this.#refilledAt = clock.now()
  }

  /** Takes one token; false when there is none. */
  take(): boolean {
    const now = this.#clock.now()
    const elapsedSeconds = Math.max(0, now - this.#refilledAt) / 1000
    this.#available = Math.min(this.#burst, this.#available + elapsedSeconds * this.#perSecond)
    this.#refilledAt = now
    if (this.#available < 1) return false
    this.#available -= 1
    return true
  }
}
