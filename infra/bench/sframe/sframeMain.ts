import { describeRun } from '../machine.ts'
import { readSframeArguments, type SframeArguments, sframeUsage } from './arguments.ts'
import type { FrameRow } from './frameBenchmark.ts'
import { framesInNode } from './inNode.ts'
import { type SframeMeasured, sframeJson, sframeMarkdown, sframeTable } from './sframeReport.ts'
import type { TrackCosts } from './trackCosts.ts'

const reports = { table: sframeTable, json: sframeJson, markdown: sframeMarkdown }

/** @throws BenchError */
export async function sframeMain(args: readonly string[]): Promise<void> {
  const wanted = readSframeArguments(args)
  if (wanted === undefined) {
    console.log(sframeUsage)
    return
  }
  const run = describeRun({ platform: 'node', versus: [] })
  const { chromium, ...measured } = await measure(wanted, (line) => console.error(line))
  const versions = { ...run.versions, ...(chromium !== undefined && { chromium }) }
  console.log(reports[wanted.format]({ ...run, versions }, measured))
}

async function measure(
  { places, only, bytes, rounds, tracks, seconds }: SframeArguments,
  progress: (line: string) => void,
): Promise<SframeMeasured & { readonly chromium?: string }> {
  const workload = { bytes: only.has('frames') ? bytes : [], codecs: only.has('codecs'), rounds }
  const rows: FrameRow[] = []
  if (places.has('node')) rows.push(...(await framesInNode(workload, progress)))
  if (!places.has('chromium')) return { rows, tracks: undefined }

  const { openFrameWorker } = await import('./chromium/openFrameWorker.ts')
  const worker = await openFrameWorker(progress)
  try {
    rows.push(...(await worker.frames(workload)))
    let costs: TrackCosts | undefined
    if (only.has('tracks')) costs = await worker.tracks({ tracks, seconds })
    return { rows, tracks: costs, chromium: worker.version }
  } finally {
    await worker.close()
  }
}
