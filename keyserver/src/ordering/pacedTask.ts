import type { Clock } from '@conclave/core'

/** What one notice may put on everybody's line: 2 MiB a second. */
const bytesPerMs = (2 << 20) / 1000
/** How many connections hear of it in a millisecond: each takes its time to write and to read. */
const hearersPerMs = 1

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

  /** So many connections were sent so many bytes each: the more of either, the rarer. */
  weigh({ bytes, hearers }: { readonly bytes: number; readonly hearers: number }): void {
    this.#pauseMs = Math.max(this.#intervalMs, bytes / bytesPerMs, hearers / hearersPerMs)
  }

  request(): void {
    if (this.#cancel !== undefined) {
      this.#due = true
      return
    }
    this.#pause()
    this.#run()
  }

  /** Also in the pause after the last time, for what would be wrong until then; not often. */
  requestAtOnce(): void {
    this.stop()
    this.request()
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
