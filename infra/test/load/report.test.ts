import { describe, expect, it } from 'vitest'
import { loadJson, loadMarkdown, loadTable } from '../../load/loadReport.ts'
import { plot } from '../../load/plot.ts'
import { noPrimitives } from '../../load/primitiveCosts.ts'
import type { Row } from '../../load/rows.ts'

const run = {
  machine: { platform: 'linux-x64', cpu: 'a CPU', cores: 2, memoryGib: 4 },
  provider: 'node:crypto',
  versions: { node: '24.0.0' },
  commit: 'abc',
}

function row(n: number, op: string, value: number, about: Partial<Row> = {}): Row {
  return { n, op, value, case: 'leaves', unit: 'ms', ...about }
}

const rows: readonly Row[] = [
  row(100, 'leave.max', 200, { floor: 50 }),
  row(100, 'bytes.rotation', 1000, { unit: 'bytes' }),
  row(100, 'cpu.rotation', 2),
  row(400, 'leave.max', 900, { floor: 300 }),
  row(400, 'bytes.rotation', 1210, { unit: 'bytes' }),
  row(400, 'cpu.rotation', 2),
  row(400, 'took', 12_000, { case: 'storm', floor: 10_000 }),
]
const measured = {
  store: 'memory',
  files: false,
  processes: 2,
  costs: noPrimitives(),
  rows,
} as const

describe("the load harness's report", () => {
  it('has a column for each size, and what is above its floor by how much', () => {
    const markdown = loadMarkdown(run, measured)
    expect(markdown).toContain(
      'clients in 2 processes, their state in memory · keyserver in memory',
    )
    expect(markdown).toContain('### Single leaves\n\n|  | unit | 100 | 400 |')
    expect(markdown).toContain('| leave.max | ms | 200 | 900 |')
    expect(markdown).toContain('| leave.max ÷ floor |  | 4.00 | 3.00 |')
    expect(markdown).toContain('| took | ms | 12000 |')
    expect(loadTable(run, measured)).toMatch(/^bytes\.rotation +bytes +1000 +1210$/m)
  })

  it('shows by what factor bytes and CPU of each member grow where the meeting doubles', () => {
    const markdown = loadMarkdown(run, measured)
    expect(markdown).toContain('| bytes.rotation | 1.10 |')
    expect(markdown).toContain('| cpu.rotation | 1.00 |')
    const alone = rows.filter(({ n }) => n === 100)
    expect(loadMarkdown(run, { ...measured, rows: alone })).not.toContain('Growth')
  })

  it('is one object a line as JSON', () => {
    const [head, first] = loadJson(run, measured)
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(head).toMatchObject({ bench: 'load', store: 'memory', processes: 2, commit: 'abc' })
    expect(first).toEqual({
      bench: 'load',
      store: 'memory',
      n: 100,
      op: 'leave.max',
      case: 'leaves',
      unit: 'ms',
      value: 200,
      floor: 50,
    })
  })

  it('is drawn with a line for each figure through all sizes', () => {
    const svg = plot(rows)
    const [latency = ''] = /<polyline points="[^"]*"/.exec(svg) ?? []
    const points = latency.match(/[\d.]+,[\d.]+/g) ?? []
    const [[x1 = 0, y1 = 0] = [], [x2 = 0, y2 = 0] = []] = points.map((point) =>
      point.split(',').map(Number),
    )
    expect(points).toHaveLength(2)
    // To the right and, since it took longer, further up.
    expect(x2).toBeGreaterThan(x1)
    expect(y2).toBeLessThan(y1)
    expect(svg).toContain('>leave.max</text>')
  })
})
