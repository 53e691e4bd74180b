import type { MediaAuthenticity, MediaSource, MediaVerdict } from '@conclave/client'
import { Store } from './store.ts'

/** What a tile says of who sends: nothing where it is not known. */
export type SenderMark = 'authenticated' | 'forged'

/** What is known of who sends, by leaf. */
export class SenderMarks {
  readonly marks = new Store<ReadonlyMap<number, SenderMark>>(new Map())
  readonly #verdicts = new Map<number, Map<MediaSource, MediaVerdict>>()

  tell({ leaf, source, verdict }: Pick<MediaAuthenticity, 'leaf' | 'source' | 'verdict'>): void {
    const verdicts = this.#verdicts.get(leaf) ?? new Map<MediaSource, MediaVerdict>()
    this.#verdicts.set(leaf, verdicts.set(source, verdict))
    this.#show()
  }

  /** Nobody has this leaf any more, or somebody else. */
  forget(leaf: number): void {
    this.#verdicts.delete(leaf)
    this.#show()
  }

  /** All have other leaves. */
  clear(): void {
    this.#verdicts.clear()
    this.#show()
  }

  #show(): void {
    const marks = new Map<number, SenderMark>()
    for (const [leaf, verdicts] of this.#verdicts) {
      const mark = markOf([...verdicts.values()])
      if (mark !== undefined) marks.set(leaf, mark)
    }
    this.marks.set(marks)
  }
}

/** One forged source is enough; authentic are all of them or none. */
function markOf(verdicts: readonly MediaVerdict[]): SenderMark | undefined {
  if (verdicts.includes('forged')) return 'forged'
  return verdicts.every((verdict) => verdict === 'authenticated') ? 'authenticated' : undefined
}
