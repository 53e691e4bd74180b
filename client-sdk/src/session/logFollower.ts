import type { LogEntry } from '@conclave/core/delivery'

/** Entries kept while an earlier one is missing. */
const maxAhead = 1024

/**
 * Puts the log's entries, which come as pages, as notices and beside refusals, into one sequence
 * without gaps or repetitions.
 */
export class LogFollower {
  #last: number
  readonly #ahead = new Map<number, LogEntry>()

  /** `last` is the sequence number of the newest entry that is known already. */
  constructor(last: number) {
    this.#last = last
  }

  get last(): number {
    return this.#last
  }

  /** Whether entries have come beyond one that is still missing. */
  get hasGap(): boolean {
    return this.#ahead.size > 0
  }

  offer(entry: LogEntry): void {
    if (entry.seq <= this.#last || this.#ahead.size >= maxAhead) return
    this.#ahead.set(entry.seq, entry)
  }

  /** The next entry in sequence, which counts as known from then on. */
  next(): LogEntry | undefined {
    const entry = this.#ahead.get(this.#last + 1)
    if (entry === undefined) return undefined
    this.#ahead.delete(entry.seq)
    this.#last = entry.seq
    return entry
  }
}
