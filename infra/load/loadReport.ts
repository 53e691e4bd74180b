import type { StoreName } from '../bench/keyserver/stage.ts'
import type { Run } from '../bench/machine.ts'
import {
  aligned,
  describe,
  growth,
  markdownRow,
  milliseconds,
  ratio,
  rounded,
} from '../bench/report.ts'
import type { Phase } from './meetingLoad.ts'
import type { Row } from './rows.ts'

export interface Measured {
  readonly store: StoreName
  /** Whether clients kept their state in files. */
  readonly files: boolean
  readonly processes: number
  readonly rows: readonly Row[]
}

interface Table {
  readonly title: string
  readonly cells: readonly (readonly string[])[]
}

/** For a terminal. */
export function loadTable(run: Run, measured: Measured): string {
  const tables = tablesOf(measured).map(({ title, cells }) => `${title}\n${aligned(cells)}`)
  return [heading(run, measured), ...tables].join('\n\n')
}

/** For docs/benchmarks.md. */
export function loadMarkdown(run: Run, measured: Measured): string {
  const tables = tablesOf(measured).map(
    ({ title, cells }) => `### ${title}\n\n${cells.map(markdownRow).join('\n')}`,
  )
  return [heading(run, measured), ...tables].join('\n\n')
}

/** One object a line. */
export function loadJson(run: Run, { store, files, processes, rows }: Measured): string {
  const head = { bench: 'load', store, files, processes, ...run }
  const lines = rows.map(({ value, floor, ...about }) => ({
    bench: 'load',
    store,
    ...about,
    value: rounded(value),
    ...(floor !== undefined && { floor: rounded(floor) }),
  }))
  return [head, ...lines].map((line) => JSON.stringify(line)).join('\n')
}

const titles: Readonly<Record<Exclude<Phase, 'warming'>, string>> = {
  storm: 'A storm of joins',
  churn: 'A join and a leave each second',
  leaves: 'Single leaves',
  mass: 'Nearly everybody leaves',
}

/** What is shown for growth, in the phase in which nothing else goes on. */
const growing = ['bytes.rotation', 'cpu.rotation']

function heading(run: Run, { store, files, processes }: Measured): string {
  const stored = store === 'redis' ? 'on Redis, appendfsync always' : 'in memory'
  const kept = files ? 'files' : 'memory'
  return `${describe(run)} · clients in ${processes} processes, their state in ${kept} · keyserver ${stored}`
}

function tablesOf({ rows }: Measured): readonly Table[] {
  const tables = Object.entries(titles).map(([phase, title]) => ({
    title,
    cells: cellsOf(rows.filter((row) => row.case === phase)),
  }))
  const sizes = [...new Set(rows.map(({ n }) => n))]
  return sizes.length < 2 ? tables : [...tables, growthTable(rows, sizes)]
}

/** A line for each figure, a column for each size; a figure with a floor has two lines. */
function cellsOf(rows: readonly Row[]): readonly (readonly string[])[] {
  const sizes = [...new Set(rows.map(({ n }) => n))]
  const lines = [...Map.groupBy(rows, ({ op }) => op)].flatMap(([op, own]) => {
    const at = (n: number) => own.find((row) => row.n === n)
    const values = sizes.map((n) => shown(at(n)))
    const unit = own[0]?.unit ?? ''
    if (own.every(({ floor }) => floor === undefined)) return [[op, unit, ...values]]
    const floors = sizes.map((n) => ratio(at(n)?.value, at(n)?.floor))
    return [
      [op, unit, ...values],
      [`${op} ÷ floor`, '', ...floors],
    ]
  })
  return [['', 'unit', ...sizes.map(String)], ...lines]
}

function growthTable(rows: readonly Row[], sizes: readonly number[]): Table {
  const spans = sizes.slice(1).map((size, i) => [sizes[i] as number, size] as const)
  const lines = growing.map((op) => {
    const at = (n: number) =>
      rows.find((row) => row.case === 'leaves' && row.op === op && row.n === n)?.value
    return [op, ...spans.map(([from, to]) => growth(at(from), at(to), to / from))]
  })
  return {
    title: 'Growth per doubling of the meeting, for each member, single leaves',
    cells: [['', ...spans.map(([from, to]) => `${from}–${to}`)], ...lines],
  }
}

function shown(row: Row | undefined): string {
  if (row === undefined) return '–'
  return row.unit === 'ms' ? milliseconds(row.value) : String(Math.round(row.value))
}
