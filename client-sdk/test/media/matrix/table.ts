import type { Figures } from '../../../../core/test/campaign.ts'
import { type Outcome, percent } from './judgement.ts'
import type { Row } from './rows.ts'

/** What came of a row. */
export interface Result {
  readonly row: Pick<Row, 'codec' | 'feature' | 'video'>
  readonly control: Outcome
  readonly encrypted: Outcome
  /** Why it failed; nothing where it passed. */
  readonly reasons: readonly string[]
}

/** All that was measured, for the record. */
export function figuresOf({ control, encrypted }: Result): Figures {
  const named = (outcome: Outcome, name: string) =>
    Object.entries({
      'frames/s': rounded(outcome.framesPerSecond, 1),
      'share concealed': rounded(outcome.concealed, 4),
      'longest gap, ms': rounded(outcome.longestGapMs, 0),
      freezes: outcome.freezes,
    }).map(([measure, value]) => [`${measure}${name}`, value])
  return Object.fromEntries([...named(encrypted, ''), ...named(control, ', control')])
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}

const BEGIN = '<!-- matrix:begin -->'
const END = '<!-- matrix:end -->'

/** The results as a table of Markdown. */
export function resultTable(results: readonly Result[]): string {
  const lines = results.map(({ row, control, encrypted, reasons }) => {
    const frames = ({ framesPerSecond }: Outcome) =>
      row.video === undefined ? '–' : String(Math.round(framesPerSecond))
    const cells = [
      row.codec === 'H264' ? 'H.264' : row.codec,
      row.feature,
      frames(encrypted),
      frames(control),
      percent(encrypted.concealed),
      percent(control.concealed),
      reasons.length === 0 ? 'passes' : `fails: ${reasons.join('; ')}`,
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    '| codec | feature | frames/s | without encryption | concealed | without encryption | result |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

/** The page with another table between its markers. */
export function replaceMatrix(page: string, table: string): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error('the page has no place for the table')
  return `${page.slice(0, begin + BEGIN.length)}\n${table}\n${page.slice(end)}`
}
