import type { Clock } from '@conclave/core'

/** Lets `burst` requests pass at once and `perSecond` over time. */
export class TokenBucket {
  readonly #clock: Pick<Clock, 'now'>
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #filledAt: number

  constructor(clock: Pick<Clock, 'now'>, perSecond: number, burst: number) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#filledAt = clock.now()
  }

  take(): boolean {
    this.#refill()
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  /** Takes so many, also where they are not there yet: nothing passes until they are. */
  spend(tokens: number): void {
    this.#refill()
    this.#tokens -= tokens
  }

  giveBack(tokens: number): void {
    this.#refill()
    this.#tokens = Math.min(this.#burst, this.#tokens + tokens)
  }

  #refill(): void {
    const now = this.#clock.now()
    const elapsedSeconds = Math.max(0, now - this.#filledAt) / 1000
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsedSeconds * this.#perSecond)
    this.#filledAt = now
  }
}
