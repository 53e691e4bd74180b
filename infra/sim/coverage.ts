/** What runs have been through, so that one can see what they have not. */
export class Coverage {
  readonly #counts = new Map<string, number>()
  /** By kind of message or step, how often it met each fault. */
  readonly #faults = new Map<string, Map<string, number>>()

  count(what: string, times = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + times)
  }

  met(kind: string, fault: string): void {
    const faults = this.#faults.get(kind) ?? new Map<string, number>()
    this.#faults.set(kind, faults)
    faults.set(fault, (faults.get(fault) ?? 0) + 1)
  }

  add(other: Coverage): void {
    for (const [what, count] of other.#counts) this.count(what, count)
    for (const [kind, faults] of other.#faults) {
      for (const [fault, count] of faults) {
        const own = this.#faults.get(kind) ?? new Map<string, number>()
        this.#faults.set(kind, own)
        own.set(fault, (own.get(fault) ?? 0) + count)
      }
    }
  }

  counts(): Readonly<Record<string, number>> {
    return sorted(this.#counts)
  }

  faults(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return Object.fromEntries(
      [...this.#faults]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([kind, faults]) => [kind, sorted(faults)]),
    )
  }
}

function sorted(counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
}
