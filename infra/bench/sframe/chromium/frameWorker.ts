import { webCryptoAead } from '../../../../core/src/sframe/index.ts'
import { BenchError } from '../../benchError.ts'
import { bareWebCrypto } from '../bareWebCrypto.ts'
import { runFrameBenchmark } from '../frameBenchmark.ts'
import type { BenchAnswer, BenchRequest } from './messages.ts'
import { runPeerBenchmark } from './peerBenchmark.ts'
import { ReceivedTracks } from './receivedTracks.ts'

/** What is used of DedicatedWorkerGlobalScope, whose types exclude those of the page. */
interface WorkerScope {
  onmessage: ((event: { readonly data: BenchRequest }) => void) | null
  postMessage(message: BenchAnswer): void
}

const scope = globalThis as unknown as WorkerScope
let received: ReceivedTracks | undefined

scope.onmessage = ({ data }) => {
  answer(data).then(
    (message) => scope.postMessage(message),
    (error: unknown) => {
      const code = error instanceof BenchError ? error.code : 'bench-work-not-done'
      scope.postMessage({ type: 'failure', code, message: String(error) })
    },
  )
}

async function answer(request: BenchRequest): Promise<BenchAnswer> {
  const progress = (line: string) => scope.postMessage({ type: 'progress', line })
  if (request.type === 'frames') {
    const { subtle } = crypto
    const platform = {
      name: 'WebCrypto in Chromium',
      aead: webCryptoAead(subtle),
      bare: await bareWebCrypto(subtle),
    }
    return { type: 'frames', rows: await runFrameBenchmark(platform, request.workload, progress) }
  }
  if (request.type === 'peer') {
    return { type: 'peer', rows: await runPeerBenchmark(request.workload, progress) }
  }
  if (request.type === 'prepare-tracks') {
    received = await ReceivedTracks.prepare(request)
    return { type: 'prepared' }
  }
  if (received === undefined) throw new BenchError('bench-work-not-done', 'no tracks are there')
  const tracks = received
  received = undefined
  return { type: 'received', frames: await tracks.receive() }
}
