import type { Clock } from '@conclave/core'

/** The clock of one process: its timers end with it. */
export class GuardedClock implements Clock {
  readonly #clock: Clock
  readonly #woken: () => void
  readonly #pending = new Set<() => void>()
  #ended = false

  /** `woken` is called before every timer's callback. */
  constructor(clock: Clock, woken: () => void = () => {}) {
    this.#clock = clock
    this.#woken = woken
  }

  /** Timers that have been set and have neither run nor been cancelled. */
  get pending(): number {
    return this.#pending.size
  }

  now(): number {
    return this.#clock.now()
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    if (this.#ended) return () => {}
    const cancel = this.#clock.setTimer(delayMs, () => {
      this.#pending.delete(cancelled)
      this.#woken()
      if (!this.#ended) callback()
    })
    const cancelled = () => {
      this.#pending.delete(cancelled)
      cancel()
    }
    this.#pending.add(cancelled)
    return cancelled
  }

  end(): void {
    this.#ended = true
    for (const cancel of this.#pending) cancel()
  }
}
