import { resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { repository } from '../../../entry/repository.mjs'
import { BenchError } from '../../benchError.ts'
import { benchScript, openBenchPage } from '../../chromium/browser.ts'
import type { FrameRow, FrameWorkload } from '../frameBenchmark.ts'
import { costsOf, pipelines, type TrackCosts, type TracksRun } from '../trackCosts.ts'
import type { BenchAnswer, BenchRequest } from './messages.ts'
import type { PeerRow, PeerWorkload } from './peerBenchmark.ts'

/** A worker of the system's Chromium, where frames are encrypted as a meeting's are. */
export interface FrameWorkerInChromium {
  readonly version: string
  frames(workload: FrameWorkload): Promise<readonly FrameRow[]>
  peer(workload: PeerWorkload): Promise<readonly PeerRow[]>
  tracks(size: { readonly tracks: number; readonly seconds: number }): Promise<TrackCosts>
  close(): Promise<void>
}

/**
 * All of its methods throw what the worker throws: BenchError `bench-work-not-done`.
 * @throws BenchError `bench-chromium-missing`
 */
export async function openFrameWorker(
  progress: (line: string) => void,
): Promise<FrameWorkerInChromium> {
  const entry = resolve(repository, 'infra', 'bench', 'sframe', 'chromium', 'frameWorker.ts')
  const { browser, page } = await openBenchPage(entry, html, progress)
  const system = await browser.newBrowserCDPSession()

  /** Seconds of all threads of all renderers; there is one that does anything. */
  const rendererCpu = async () => {
    const { processInfo } = await system.send('SystemInfo.getProcessInfo')
    return processInfo
      .filter(({ type }) => type === 'renderer')
      .reduce((sum, { cpuTime }) => sum + cpuTime, 0)
  }

  return {
    version: browser.version(),
    frames: async (workload) => (await ask(page, { type: 'frames', workload }, 'frames')).rows,
    peer: async (workload) => (await ask(page, { type: 'peer', workload }, 'peer')).rows,
    tracks: async ({ tracks, seconds }) => {
      const runs: TracksRun[] = []
      for (const pipeline of pipelines) {
        progress(`▸ ${tracks} video and ${tracks} audio tracks: ${pipeline}`)
        const prepare = { type: 'prepare-tracks', pipeline, tracks, seconds } as const
        await ask(page, prepare, 'prepared')
        const before = await rendererCpu()
        const { frames } = await ask(page, { type: 'receive-tracks' }, 'received')
        const cpuSeconds = (await rendererCpu()) - before
        progress(`✓ ${pipeline}: ${cpuSeconds.toFixed(2)} s of CPU for ${seconds} s of media`)
        runs.push({ pipeline, tracks, frames, mediaSeconds: seconds, cpuSeconds })
      }
      return costsOf(runs)
    },
    close: () => browser.close(),
  }
}

type Answer<T extends BenchAnswer['type']> = Extract<BenchAnswer, { type: T }>

async function ask<T extends BenchAnswer['type']>(
  page: Page,
  request: BenchRequest,
  type: T,
): Promise<Answer<T>> {
  const answer = await page.evaluate(
    (wanted) => (globalThis as unknown as PageGlobals).ask(wanted),
    request,
  )
  if (answer.type === 'failure') throw new BenchError(answer.code, answer.message)
  if (answer.type !== type) throw new TypeError(`the worker answered with ${answer.type}`)
  return answer as Answer<T>
}

interface PageGlobals {
  ask(request: BenchRequest): Promise<BenchAnswer>
}

const html = `<script type="module">
const worker = new Worker('${benchScript}', { type: 'module' })
globalThis.ask = (request) =>
  new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) =>
      data.type === 'progress' ? progress(data.line) : resolve(data)
    worker.onerror = ({ message }) => reject(new Error(message))
    worker.postMessage(request)
  })
</script>`
