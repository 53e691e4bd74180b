import type { Clock } from '@conclave/core'

/** What one notice may put on everybody's line: 2 MiB a second. */
const bytesPerMs = (2 << 20) / 1000

/**
 * Says that something changed: at once, but not more often than every `intervalMs`. For notices
 * that carry all of a state, which everybody would otherwise get for every change in a burst.
 */
export class PacedNotice {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #send: () => void
  #pauseMs: number
  #cancel: (() => void) | undefined
  #due = false

  constructor(clock: Clock, intervalMs: number, send: () => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#pauseMs = intervalMs
    this.#send = send
  }

  /** What was sent came to so many bytes: the larger, the rarer. */
  weigh(bytes: number): void {
    this.#pauseMs = Math.max(this.#intervalMs, bytes / bytesPerMs)
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
    this.#cancel = this.#clock.setTimer(this.#pauseMs, () => {
      this.#cancel = undefined
      if (!this.#due) return
      this.#due = false
      this.request()
    })
  }
}
