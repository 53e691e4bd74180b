import type { Measured, SizeRow, TimeRow } from './benchmark.ts'
import type { Run } from './machine.ts'
import type { Timing } from './measure.ts'
import { floor, pooledFloor, subject } from './operations.ts'
import type { Kind } from './world.ts'

/** Rows of text, the first of which names the columns. */
interface Table {
  readonly title: string
  readonly rows: readonly (readonly string[])[]
}

/** For a terminal. */
export function tableReport(run: Run, measured: Measured): string {
  return [
    describe(run),
    ...tablesOf(measured).map(({ title, rows }) => `${title}\n${aligned(rows)}`),
  ].join('\n\n')
}

/** For docs/benchmarks.md. */
export function markdownReport(run: Run, measured: Measured): string {
  const tables = tablesOf(measured).map(
    ({ title, rows }) => `### ${title}\n\n${rows.map(markdownRow).join('\n')}`,
  )
  return [describe(run), ...tables].join('\n\n')
}

/** One object a line. `value`, `floor` and `peers` are medians of the same run. */
export function jsonReport(run: Run, { times, sizes }: Measured): string {
  const head = { bench: 'mls', ...run }
  return [head, ...times.map(timeObject), ...sizes.map(sizeObject)]
    .map((line) => JSON.stringify(line))
    .join('\n')
}

function timeObject({ operation, members, kind, timings }: TimeRow) {
  const pick = (key: Exclude<keyof Timing, 'rounds'>) => {
    const of = (name: string) => rounded(timings.get(name)?.[key])
    return {
      value: of(subject),
      floor: of(floor),
      pooledFloor: of(pooledFloor),
      ...peers(timings, (timing) => rounded(timing[key])),
    }
  }
  const rounds = Object.fromEntries([...timings].map(([name, timing]) => [name, timing.rounds]))
  return {
    bench: 'mls',
    op: operation,
    n: members,
    case: kind,
    unit: 'ms',
    ...pick('median'),
    least: pick('least'),
    cpu: pick('medianCpu'),
    leastCpu: pick('leastCpu'),
    rounds,
  }
}

function sizeObject({ what, members, kind, bytes }: SizeRow) {
  const measured = { bench: 'mls', op: what, n: members, case: kind, unit: 'bytes' }
  return { ...measured, value: bytes.get(subject), ...peers(bytes, (value) => value) }
}

/** What neither the subject nor a floor has measured. */
function peers<T, U>(all: ReadonlyMap<string, T>, value: (of: T) => U) {
  const others = [...all].filter(([name]) => ![subject, floor, pooledFloor].includes(name))
  if (others.length === 0) return {}
  return { peers: Object.fromEntries(others.map(([name, of]) => [name, value(of)])) }
}

function tablesOf({ times, sizes }: Measured): readonly Table[] {
  const worlds = Map.groupBy(times, ({ members, kind }) => `${members} members, ${kind} tree`)
  const timeTables = [...worlds].map(([title, rows]) => ({
    title: `${title}: milliseconds`,
    rows: timeRows(rows),
  }))
  return [...timeTables, ...growthTables(times), ...sizeTables(sizes)]
}

type Timings = TimeRow['timings']
type Column = readonly [title: string, cell: (timings: Timings) => string]

function timeRows(rows: readonly TimeRow[]): string[][] {
  const columns = timeColumns(rows.map(({ timings }) => timings))
  return [
    ['operation', ...columns.map(([title]) => title)],
    ...rows.map(({ operation, timings }) => [
      operation,
      ...columns.map(([, cell]) => cell(timings)),
    ]),
  ]
}

/** Without columns that would be empty: browsers tell no CPU time, and have no pool. */
function timeColumns(all: readonly Timings[]): readonly Column[] {
  const time =
    (name: string, key: Exclude<keyof Timing, 'rounds'>): Column[1] =>
    (timings) =>
      milliseconds(timings.get(name)?.[key])
  const share =
    (name: string, base: string, key: Exclude<keyof Timing, 'rounds'>): Column[1] =>
    (timings) =>
      ratio(timings.get(name)?.[key], timings.get(base)?.[key])
  const hasCpu = all.some((timings) => timings.get(subject)?.medianCpu !== undefined)
  const hasPool = all.some((timings) => timings.has(pooledFloor))
  return [
    ['median', time(subject, 'median')],
    ['least', time(subject, 'least')],
    ...(hasCpu ? [['CPU', time(subject, 'medianCpu')] satisfies Column] : []),
    ['floor', time(floor, 'median')],
    ['least', time(floor, 'least')],
    ...(hasPool ? [['pooled', time(pooledFloor, 'median')] satisfies Column] : []),
    ['÷ floor', share(subject, floor, 'median')],
    hasCpu
      ? ['CPU ÷ CPU', share(subject, floor, 'medianCpu')]
      : ['least ÷ least', share(subject, floor, 'least')],
    ...peerNames(all).flatMap((name): Column[] => [
      [name, time(name, 'median')],
      ['least', time(name, 'least')],
      [`${name} ÷ ours`, share(name, subject, 'median')],
    ]),
  ]
}

/**
 * By what factor the least time grows where the group doubles, CPU time where it is known: 1 is
 * constant, 2 linear, 4 quadratic.
 */
function growthTables(times: readonly TimeRow[]): readonly Table[] {
  const tables: Table[] = []
  for (const [kind, rows] of Map.groupBy(times, (row) => row.kind)) {
    const sizes = [...new Set(rows.map(({ members }) => members))]
    const spans = sizes.slice(1).map((size, i) => [sizes[i] as number, size] as const)
    if (spans.length === 0) continue
    const lines = [...Map.groupBy(rows, (row) => row.operation)].map(([operation, own]) => {
      const at = (members: number) => {
        const timing = own.find((row) => row.members === members)?.timings.get(subject)
        return timing?.leastCpu ?? timing?.least
      }
      return [operation, ...spans.map(([from, to]) => growth(at(from), at(to), to / from))]
    })
    tables.push({
      title: `Growth per doubling, ${kind} tree`,
      rows: [['operation', ...spans.map(([from, to]) => `${from}–${to}`)], ...lines],
    })
  }
  return tables
}

function sizeTables(sizes: readonly SizeRow[]): readonly Table[] {
  return [...Map.groupBy(sizes, ({ kind }) => kind)].map(([kind, rows]) => ({
    title: `Bytes, ${kind} tree`,
    rows: sizeRows(rows, kind),
  }))
}

function sizeRows(rows: readonly SizeRow[], kind: Kind): string[][] {
  const others = peerNames(rows.map(({ bytes }) => bytes))
  const sizes = [...new Set(rows.map(({ members }) => members))]
  const names = [subject, ...others]
  const head = ['', ...sizes.flatMap((size) => names.map((name) => `${size}: ${name}`))]
  const lines = [...Map.groupBy(rows, ({ what }) => what)].map(([what, own]) => [
    what,
    ...sizes.flatMap((size) => {
      const bytes = own.find((row) => row.members === size && row.kind === kind)?.bytes
      return names.map((name) => bytes?.get(name)?.toString() ?? '–')
    }),
  ])
  return [head, ...lines]
}

function peerNames(all: readonly ReadonlyMap<string, unknown>[]): readonly string[] {
  const names = new Set(all.flatMap((some) => [...some.keys()]))
  for (const name of [subject, floor, pooledFloor]) names.delete(name)
  return [...names]
}

export function describe(run: Run): string {
  return `MLS cipher suite 1 by ${run.provider} · ${describeMachine(run)}`
}

export function describeMachine({ machine, versions, commit }: Run): string {
  const { platform, cpu, cores, memoryGib } = machine
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const hardware = `${cpu}, ${cores} cores, ${memoryGib} GiB, ${platform}`
  return `${hardware} · ${software.join(', ')} · commit ${commit}`
}

export function milliseconds(value: number | undefined): string {
  if (value === undefined) return '–'
  return value.toFixed(value < 0.1 ? 4 : value < 1 ? 3 : value < 100 ? 2 : 0)
}

export function ratio(value: number | undefined, base: number | undefined): string {
  if (value === undefined || base === undefined) return '–'
  const factor = value / base
  return factor.toFixed(factor < 20 ? 2 : 0)
}

/** The factor per doubling, where what is measured has grown by `factor`. */
export function growth(from: number | undefined, to: number | undefined, factor: number): string {
  if (from === undefined || to === undefined) return '–'
  return ((to / from) ** (1 / Math.log2(factor))).toFixed(2)
}

/** To a tenth of a microsecond. */
export function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 10_000) / 10_000
}

export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0
          return column === 0 ? cell.padEnd(width) : cell.padStart(width)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function markdownRow(row: readonly string[], index: number): string {
  const line = `| ${row.join(' | ')} |`
  return index === 0 ? `${line}\n|---${'|--:'.repeat(row.length - 1)}|` : line
}
