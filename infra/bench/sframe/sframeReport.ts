import type { Run } from '../machine.ts'
import { aligned, describeMachine, markdownRow, ratio, rounded } from '../report.ts'
import type { PeerRow } from './chromium/peerBenchmark.ts'
import type { FrameRow } from './frameBenchmark.ts'
import type { TrackCosts } from './trackCosts.ts'

export interface SframeMeasured {
  readonly rows: readonly FrameRow[]
  /** Our transform beside livekit-client's. */
  readonly peer: readonly PeerRow[]
  readonly tracks: TrackCosts | undefined
}

/** For a terminal. */
export function sframeTable(run: Run, measured: SframeMeasured): string {
  const tables = tablesOf(measured).map(([title, rows]) => `${title}\n${aligned(rows)}`)
  return [headOf(run), ...tables].join('\n\n')
}

/** For docs/benchmarks.md. */
export function sframeMarkdown(run: Run, measured: SframeMeasured): string {
  const tables = tablesOf(measured).map(
    ([title, rows]) => `### ${title}\n\n${rows.map(markdownRow).join('\n')}`,
  )
  return [headOf(run), ...tables].join('\n\n')
}

/** One object a line. */
export function sframeJson({ machine, versions, commit }: Run, measured: SframeMeasured): string {
  const bench = 'sframe'
  const { rows, peer, tracks } = measured
  const lines: object[] = [{ bench, machine, versions, commit }]
  for (const { value, floor, ratio: share, ...about } of rows) {
    const [perSecond, bare] = [Math.round(value), Math.round(floor)]
    lines.push({
      bench,
      ...about,
      unit: '1/s',
      value: perSecond,
      floor: bare,
      ratio: rounded(share),
    })
  }
  for (const { op, n, value, floor, ratio: share } of peer) {
    const about = { op, n, case: 'transforms in Chromium', unit: '1/s' }
    const peers = { 'livekit-client': Math.round(floor) }
    lines.push({ bench, ...about, value: Math.round(value), peers, ratio: rounded(share) })
  }
  if (tracks !== undefined) {
    const { tracks: n, ...shares } = tracks
    for (const part of parts) {
      const value = rounded(shares[part])
      lines.push({ bench, op: 'tracks', n, case: part, unit: '% of a core', value })
    }
  }
  return lines.map((line) => JSON.stringify(line)).join('\n')
}

const parts = ['cipher', 'opening', 'total'] as const

type Table = readonly [title: string, rows: readonly (readonly string[])[]]

function tablesOf({ rows, peer, tracks }: SframeMeasured): readonly Table[] {
  const places = [...Map.groupBy(rows, (row) => row.case)].map(
    ([place, own]): Table => [
      `${place}: frames a second`,
      [
        ['operation', 'bytes', 'ours', 'bare AEAD', 'ours ÷ bare'],
        ...own.map(({ op, n, value, floor, ratio: share }) => [
          op,
          String(n),
          thousands(value),
          thousands(floor),
          ratio(share, 1),
        ]),
      ],
    ],
  )
  return [
    ...places,
    ...(peer.length === 0 ? [] : [peerTable(peer)]),
    ...(tracks === undefined ? [] : [tracksTable(tracks)]),
  ]
}

function peerTable(rows: readonly PeerRow[]): Table {
  return [
    'Whole transforms in Chromium: frames a second',
    [
      ['operation', 'bytes', 'ours', 'livekit-client', 'ours ÷ livekit-client'],
      ...rows.map(({ op, n, value, floor, ratio: share }) => [
        op,
        String(n),
        thousands(value),
        thousands(floor),
        ratio(share, 1),
      ]),
    ],
  ]
}

function tracksTable(costs: TrackCosts): Table {
  const { tracks, framesPerSecond } = costs
  return [
    `${tracks} video and ${tracks} audio tracks received in one worker, ${framesPerSecond} frames a second`,
    [['', '% of a core'], ...parts.map((part) => [part, costs[part].toFixed(1)])],
  ]
}

/** To three digits. */
function thousands(value: number): string {
  return `${Number((value / 1000).toPrecision(3))}k`
}

function headOf(run: Run): string {
  return `SFrame suite AES_128_GCM_SHA256_128 · ${describeMachine(run)}`
}
