import type { MediaAuthenticity, MediaSource, MediaVerdict } from '@conclave/client'
import { Store } from './store.ts'

type Verdicts = ReadonlyMap<MediaSource, MediaVerdict>

/** What is known of who sends, by leaf and source. */
export class SenderVerdicts {
  readonly byLeaf = new Store<ReadonlyMap<number, Verdicts>>(new Map())

  tell({ leaf, source, verdict }: Pick<MediaAuthenticity, 'leaf' | 'source' | 'verdict'>): void {
    const known = this.byLeaf.value
    const verdicts = new Map(known.get(leaf)).set(source, verdict)
    this.byLeaf.set(new Map(known).set(leaf, verdicts))
  }

  /** Nobody has this leaf any more, or somebody else. */
  forget(leaf: number): void {
    this.byLeaf.set(new Map([...this.byLeaf.value].filter(([other]) => other !== leaf)))
  }

  /** All have other leaves. */
  clear(): void {
    this.byLeaf.set(new Map())
  }
}

/** What a tile says of who sends: nothing where it is not known. */
export type SenderMark = 'authenticated' | 'forged'

/** One forged source is enough; authentic are all that are received, or the tile says nothing. */
export function senderMark(
  verdicts: Verdicts | undefined,
  received: readonly MediaSource[],
): SenderMark | undefined {
  const known = received.map((source) => verdicts?.get(source) ?? 'unsigned')
  if (known.includes('forged')) return 'forged'
  const areAll = known.length > 0 && known.every((verdict) => verdict === 'authenticated')
  return areAll ? 'authenticated' : undefined
}
