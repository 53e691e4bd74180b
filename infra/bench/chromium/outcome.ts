import type { BenchErrorCode } from '../benchError.ts'
import type { Measured, SizeRow, TimeRow } from '../benchmark.ts'

/** What the page hands back: values without Maps, which do not get out of it. */
export type Outcome =
  | { readonly measured: PlainMeasured }
  | { readonly failure: { readonly code: BenchErrorCode; readonly message: string } }

interface PlainMeasured {
  readonly times: readonly (Omit<TimeRow, 'timings'> & {
    readonly timings: Entries<TimeRow['timings']>
  })[]
  readonly sizes: readonly (Omit<SizeRow, 'bytes'> & {
    readonly bytes: Entries<SizeRow['bytes']>
  })[]
}

type Entries<M> = M extends ReadonlyMap<infer Key, infer Value> ? (readonly [Key, Value])[] : never

export function toPlain({ times, sizes }: Measured): PlainMeasured {
  return {
    times: times.map((row) => ({ ...row, timings: [...row.timings] })),
    sizes: sizes.map((row) => ({ ...row, bytes: [...row.bytes] })),
  }
}

export function fromPlain({ times, sizes }: PlainMeasured): Measured {
  return {
    times: times.map((row) => ({ ...row, timings: new Map(row.timings) })),
    sizes: sizes.map((row) => ({ ...row, bytes: new Map(row.bytes) })),
  }
}
