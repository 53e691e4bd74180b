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
  const run = describeRun({
    platform: 'node',
    versus: isPeerWanted(wanted) ? ['livekit-client'] : [],
  })
  const { chromium, ...measured } = await measure(wanted, (line) => console.error(line))
  const versions = { ...run.versions, ...(chromium !== undefined && { chromium }) }
  console.log(reports[wanted.format]({ ...run, versions }, measured))
}

function isPeerWanted({ places, only }: SframeArguments): boolean {
  return places.has('chromium') && only.has('peer')
}

async function measure(
  wanted: SframeArguments,
  progress: (line: string) => void,
): Promise<SframeMeasured & { readonly chromium?: string }> {
  const { places, only, bytes, rounds, tracks, seconds } = wanted
  const workload = { bytes: only.has('frames') ? bytes : [], codecs: only.has('codecs'), rounds }
  const rows: FrameRow[] = []
  if (places.has('node')) rows.push(...(await framesInNode(workload, progress)))
  if (!places.has('chromium')) return { rows, peer: [], tracks: undefined }

  const { openFrameWorker } = await import('./chromium/openFrameWorker.ts')
  const worker = await openFrameWorker(progress)
  try {
    rows.push(...(await worker.frames(workload)))
    const peer = isPeerWanted(wanted) ? await worker.peer({ bytes, rounds }) : []
    let costs: TrackCosts | undefined
    if (only.has('tracks')) costs = await worker.tracks({ tracks, seconds })
    return { rows, peer, tracks: costs, chromium: worker.version }
  } finally {
    await worker.close()
  }
}
