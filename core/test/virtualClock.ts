import type { Clock } from '@conclave/core'

interface Timer {
  readonly at: number
  readonly callback: () => void
}

/** A {@link Clock} that stands still until a test moves it. */
export class VirtualClock implements Clock {
  #now: number
  /** The first that falls due is the last; of those that do at the same time, the first that was set. */
  readonly #timers: Timer[] = []

  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  get pendingTimers(): number {
    return this.#timers.length
  }

  now(): number {
    return this.#now
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), callback }
    this.#timers.splice(this.#placeBefore(timer.at), 0, timer)
    return () => {
      const place = this.#timers.indexOf(timer, this.#placeBefore(timer.at))
      if (place !== -1) this.#timers.splice(place, 1)
    }
  }

  /** Moves on by `ms`, running every timer that falls due, also those set on the way, in order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = this.#nextDue(end)
      if (due === undefined) break
      this.#now = due.at
      due.callback()
    }
    this.#now = end
  }

  /** The same, letting promise reactions run after every timer and at the end. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settle()
      const due = this.#nextDue(end)
      if (due === undefined) break
      this.#now = due.at
      due.callback()
    }
    this.#now = end
    await settle()
  }

  /** Takes the first of those that fall due until then. */
  #nextDue(end: number): Timer | undefined {
    const first = this.#timers.at(-1)
    return first !== undefined && first.at <= end ? this.#timers.pop() : undefined
  }

  /** The place behind all that fall due later, and before all others. */
  #placeBefore(at: number): number {
    let [low, high] = [0, this.#timers.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#timers[middle] as Timer).at > at) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Waits until what is ready to run has run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
