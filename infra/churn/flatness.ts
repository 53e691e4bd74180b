/** What is looked at again and again while members come and go. */
export type Sample = Readonly<Record<string, number>>

/** How much of a figure may be added, at most, before it counts as growing. */
export interface Allowance {
  /** Of what it was, as a fraction. */
  readonly fraction: number
  /** And in the figure's own unit, for those that are small. */
  readonly units: number
}

export interface Trend {
  /** Medians of the first and of the last third of what was seen after the warm-up. */
  readonly first: number
  readonly last: number
  readonly grows: boolean
}

/**
 * Whether figures stay as they are. A leak adds to all samples of the last third; what goes up and
 * down, or stands out once, moves no median of a third.
 */
export function trendsOf<K extends string>(
  samples: readonly Readonly<Record<K, number>>[],
  warmUp: number,
  allowances: Readonly<Record<K, Allowance>>,
): Readonly<Record<K, Trend>> {
  const seen = samples.slice(warmUp)
  const third = Math.floor(seen.length / 3)
  if (third === 0) throw new RangeError('a trend needs three samples after the warm-up')
  const names = Object.keys(allowances) as K[]
  const trendOf = (name: K): Trend => {
    const values = seen.map((sample) => sample[name])
    const first = median(values.slice(0, third))
    const last = median(values.slice(-third))
    const { fraction, units } = allowances[name]
    return { first, last, grows: last - first > first * fraction + units }
  }
  return Object.fromEntries(names.map((name) => [name, trendOf(name)])) as Record<K, Trend>
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[middle]]
  return (low + high) / 2
}
