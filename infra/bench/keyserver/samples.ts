import { median } from '../measure.ts'

/** One figure of the keyserver beside the floor's; medians, and the best of either. */
export interface Row {
  readonly op: string
  /** Meetings, members or entries. */
  readonly n: number
  readonly case: string
  readonly unit: 'ms' | '1/s'
  readonly value: number
  readonly floor: number
  readonly best: { readonly value: number; readonly floor: number }
}

/** What the keyserver took, and the floor. */
export interface Both<T> {
  readonly ours: T
  readonly bare: T
}

export function rowOf(
  about: Pick<Row, 'op' | 'n' | 'case' | 'unit'>,
  { ours, bare }: Both<readonly number[]>,
): Row {
  const best = about.unit === 'ms' ? Math.min : Math.max
  return {
    ...about,
    value: median(ours),
    floor: median(bare),
    best: { value: best(...ours), floor: best(...bare) },
  }
}

/** The smallest that so many of a hundred do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN
}
