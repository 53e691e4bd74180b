import type { Clock } from '@conclave/core'

/**
 * Says that something changed: at once, but not more often than every `intervalMs`. For notices
 * that carry all of a state, which everybody would otherwise get for every change in a burst.
 */
export class PacedNotice {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #send: () => void
  #cancel: (() => void) | undefined
  #due = false

  constructor(clock: Clock, intervalMs: number, send: () => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#send = send
  }

  request(): void {
    if (this.#cancel !== undefined) {
      this.#due = true
      return
    }
    this.#pause()
    this.#send()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#due = false
  }

  #pause(): void {
    this.#cancel = this.#clock.setTimer(this.#intervalMs, () => {
      this.#cancel = undefined
      if (!this.#due) return
      this.#due = false
      this.request()
    })
  }
}
