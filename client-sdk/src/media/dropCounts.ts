/** How many frames were dropped, by reason. */
export class DropCounts<Reason extends string> {
  readonly #counts = new Map<Reason, number>()

  add(reason: Reason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1)
  }

  snapshot(): Partial<Record<Reason, number>> {
    const counts: Partial<Record<Reason, number>> = {}
    for (const [reason, count] of this.#counts) counts[reason] = count
    return counts
  }
}
