import type { Run } from '../machine.ts'
import { aligned, describe, markdownRow, milliseconds, ratio, rounded } from '../report.ts'
import type { Row } from './samples.ts'
import type { StoreName } from './stage.ts'

interface Measured {
  readonly store: StoreName
  readonly rows: readonly Row[]
}

/** For a terminal. */
export function keyserverTable(run: Run, { store, rows }: Measured): string {
  return `${describe(run)}\n\n${titles[store]}\n${aligned(cells(rows))}`
}

/** For docs/benchmarks.md. */
export function keyserverMarkdown(run: Run, { store, rows }: Measured): string {
  return `${describe(run)}\n\n### ${titles[store]}\n\n${cells(rows).map(markdownRow).join('\n')}`
}

/** One object a line. */
export function keyserverJson(run: Run, { store, rows }: Measured): string {
  const head = { bench: 'keyserver', store, ...run }
  const lines = rows.map(({ value, floor, best, ...about }) => ({
    bench: 'keyserver',
    store,
    ...about,
    value: rounded(value),
    floor: rounded(floor),
    best: { value: rounded(best.value), floor: rounded(best.floor) },
  }))
  return [head, ...lines].map((line) => JSON.stringify(line)).join('\n')
}

const titles: Readonly<Record<StoreName, string>> = {
  memory: 'In memory',
  redis: 'On Redis, appendfsync always',
}

function cells(rows: readonly Row[]): string[][] {
  return [
    ['operation', 'n', 'case', 'unit', 'median', 'best', 'floor', 'best', '÷ floor', 'best ÷ best'],
    ...rows.map(({ op, n, case: what, unit, value, floor, best }) => [
      op,
      String(n),
      what,
      unit,
      milliseconds(value),
      milliseconds(best.value),
      milliseconds(floor),
      milliseconds(best.floor),
      ratio(value, floor),
      ratio(best.value, best.floor),
    ]),
  ]
}
