import type { Row } from './rows.ts'

/** What is drawn of single leaves: rekey latency above, bytes below, against participants. */
const panels = [
  { title: 'Leave to the last new key, ms', ops: ['leave.max', 'leave.p50', 'leave.apart'] },
  { title: 'Bytes for each member and rotation', ops: ['received.rotation', 'sent.rotation'] },
] as const

const width = 640
const panelHeight = 260
const margin = { left: 70, right: 130, top: 36, bottom: 34 }
const colours = ['#c0392b', '#2471a3', '#1e8449']
const ticks = 4

interface Point {
  readonly x: number
  readonly y: number
}

interface Scale {
  readonly most: number
  at(value: number): number
}

/** Rekey latency and bytes against the number of participants, as SVG. */
export function plot(rows: readonly Row[]): string {
  const drawn = panels.map((panel, i) => {
    const series = panel.ops.map((op) => ({ op, points: pointsOf(rows, op) }))
    return `<g transform="translate(0 ${i * panelHeight})">\n${panelOf(panel.title, series)}\n</g>`
  })
  const height = panels.length * panelHeight
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    '<title>Leaves and bytes of a rotation by the number of participants</title>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n')
}

function pointsOf(rows: readonly Row[], op: string): readonly Point[] {
  return rows
    .filter((row) => row.case === 'leaves' && row.op === op)
    .map(({ n, value }) => ({ x: n, y: value }))
    .toSorted((a, b) => a.x - b.x)
}

function panelOf(
  title: string,
  series: readonly { readonly op: string; readonly points: readonly Point[] }[],
): string {
  const all = series.flatMap(({ points }) => points)
  const bottom = panelHeight - margin.bottom
  const x = scale(
    all.map((point) => point.x),
    margin.left,
    width - margin.right,
  )
  const y = scale(
    all.map((point) => point.y),
    bottom,
    margin.top,
  )
  const sizes = [...new Set(all.map((point) => point.x))]
  const right = width - margin.right
  return [
    text(margin.left, margin.top - 14, title, 'font-weight="bold"'),
    ...Array.from({ length: ticks + 1 }, (_, i) => (y.most * i) / ticks).flatMap((value) => [
      line(margin.left, y.at(value), right, y.at(value), '#ddd'),
      text(margin.left - 8, y.at(value) + 4, shortly(value), 'text-anchor="end"'),
    ]),
    ...sizes.map((n) => text(x.at(n), bottom + 18, String(n), 'text-anchor="middle"')),
    ...series.flatMap(({ op, points }, i) => curve(op, points, x, y, colours[i] ?? '#000')),
  ].join('\n')
}

function curve(
  op: string,
  points: readonly Point[],
  x: Scale,
  y: Scale,
  colour: string,
): readonly string[] {
  const last = points.at(-1)
  if (last === undefined) return []
  const at = points.map((point) => `${shortly(x.at(point.x))},${shortly(y.at(point.y))}`)
  return [
    `<polyline points="${at.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...points.map(
      (point) =>
        `<circle cx="${shortly(x.at(point.x))}" cy="${shortly(y.at(point.y))}" r="3" fill="${colour}"/>`,
    ),
    text(x.at(last.x) + 8, y.at(last.y) + 4, op, `fill="${colour}"`),
  ]
}

/** From zero to a round number that none exceeds. */
function scale(values: readonly number[], from: number, to: number): Scale {
  const largest = Math.max(1, ...values)
  const step = 10 ** Math.floor(Math.log10(largest))
  const most = Math.ceil(largest / step) * step
  return { most, at: (value) => from + ((to - from) * value) / most }
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${x1}" y1="${shortly(y1)}" x2="${x2}" y2="${shortly(y2)}" stroke="${colour}"/>`
}

function text(x: number, y: number, what: string, attributes: string): string {
  return `<text x="${shortly(x)}" y="${shortly(y)}" ${attributes}>${what}</text>`
}

function shortly(value: number): string {
  return String(Math.round(value * 10) / 10)
}
