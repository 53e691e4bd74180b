import { equalBytes } from '@conclave/core/codec'
import { type LogEntry, maxEntriesGivenBack, maxMessageBytes } from '@conclave/core/delivery'

/** What an entry has packed besides its message, in bytes. */
const packedOverhead = 16

/**
 * The newest entries of the log, without gaps: as many as can be given back to a keyserver that has
 * lost its end.
 */
export class KeptEntries {
  readonly #entries: LogEntry[] = []
  #bytes = 0

  /** The sequence number of the oldest; undefined where nothing is kept. */
  get first(): number | undefined {
    return this.#entries[0]?.seq
  }

  /** `entry` is the next one of the log. */
  add(entry: LogEntry): void {
    this.#entries.push(entry)
    this.#bytes += sizeOf(entry)
    while (this.#entries.length > maxEntriesGivenBack || this.#bytes > maxMessageBytes) {
      const [oldest] = this.#entries.splice(0, 1)
      if (oldest !== undefined) this.#bytes -= sizeOf(oldest)
    }
  }

  /** All entries after `seq`, which has to be one of them or the one before the first. */
  after(seq: number): readonly LogEntry[] {
    return this.#entries.filter((entry) => entry.seq > seq)
  }

  /** Whether the log had something else under this number before. */
  contradicts({ seq, message }: LogEntry): boolean {
    const known = this.#entries[seq - (this.first ?? 0)]
    return known !== undefined && !equalBytes(known.message, message)
  }
}

function sizeOf({ message }: LogEntry): number {
  return message.length + packedOverhead
}
