import type { Clock } from '@conclave/core'

/** What one notice may put on everybody's line: 2 MiB a second. */
const bytesPerMs = (2 << 20) / 1000

/**
 * Does something when it is asked for: at once, but not more often than every `intervalMs`. For
 * what looks at all of a state, or tells everybody all of it, when that changes in bursts.
 */
export class PacedTask {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #run: () => void
  #pauseMs: number
  #cancel: (() => void) | undefined
  #due = false

  constructor(clock: Clock, intervalMs: number, run: () => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#pauseMs = intervalMs
    this.#run = run
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
    this.#run()
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
