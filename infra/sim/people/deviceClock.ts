import type { Clock } from '@conclave/core'

export interface Sleep {
  readonly from: number
  readonly until: number
}

/**
 * The clock of one device, which may be wrong, and the device's sleep: while it lasts nothing that
 * runs on it goes on, and what has fallen due or come by then comes at once when it wakes.
 */
export class DeviceClock implements Clock {
  readonly #clock: Clock
  /** How far it is ahead of the true time, in milliseconds. */
  readonly #aheadMs: number
  #lastSleep: Sleep = { from: Number.NEGATIVE_INFINITY, until: Number.NEGATIVE_INFINITY }
  readonly #held: (() => void)[] = []

  constructor(clock: Clock, aheadMs: number) {
    this.#clock = clock
    this.#aheadMs = aheadMs
  }

  get isAsleep(): boolean {
    return this.#clock.now() < this.#lastSleep.until
  }
  /** By the true time; until when it is to last, where it still does. */
  get lastSleep(): Sleep {
    return this.#lastSleep
  }

  now(): number {
    // As Date.now has it, without fractions.
    return Math.floor(this.#clock.now()) + this.#aheadMs
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    let isCancelled = false
    const cancel = this.#clock.setTimer(delayMs, () =>
      this.whenAwake(() => {
        if (!isCancelled) callback()
      }),
    )
    return () => {
      isCancelled = true
      cancel()
    }
  }

  /** Calls it now or, where the device sleeps, when it wakes, after what has come before. */
  whenAwake(callback: () => void): void {
    if (this.isAsleep) this.#held.push(callback)
    else callback()
  }

  sleep(ms: number): void {
    if (this.isAsleep) return
    const from = this.#clock.now()
    this.#lastSleep = { from, until: from + ms }
    this.#clock.setTimer(ms, () => this.wake())
  }

  wake(): void {
    const { from, until } = this.#lastSleep
    this.#lastSleep = { from, until: Math.min(until, this.#clock.now()) }
    // One after the other, each with all that it brings about at once.
    for (const callback of this.#held.splice(0)) this.#clock.setTimer(0, callback)
  }
}
