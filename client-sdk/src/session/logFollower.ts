import type { LogEntry } from '@conclave/core/delivery'

/**
 * Picks the log's entries, which come as pages, as notices and beside refusals, in sequence and
 * each once. Nothing is kept that comes too early: the log has it and is asked again.
 */
export class LogFollower {
  #last: number
  #announced: number

  /** `last` is the sequence number of the newest entry that is known already. */
  constructor(last: number) {
    this.#last = last
    this.#announced = last
  }

  get last(): number {
    return this.#last
  }

  /** Whether entries have come beyond one that is still missing. */
  get hasGap(): boolean {
    return this.#announced > this.#last
  }

  /** Whether this is the next entry in sequence, which counts as known from then on. */
  accepts({ seq }: Pick<LogEntry, 'seq'>): boolean {
    this.#announced = Math.max(this.#announced, seq)
    if (seq !== this.#last + 1) return false
    this.#last = seq
    return true
  }

  /** The log has been asked and has nothing more, whatever was announced. */
  caughtUp(): void {
    this.#announced = this.#last
  }
}
