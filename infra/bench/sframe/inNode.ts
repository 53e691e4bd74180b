import { webCryptoAead } from '../../../core/src/sframe/index.ts'
import { nodeAead } from '../../../core/src/sframe/node/index.ts'
import { bareNodeCrypto } from './bareNodeCrypto.ts'
import { bareWebCrypto } from './bareWebCrypto.ts'
import { type FrameRow, type FrameWorkload, runFrameBenchmark } from './frameBenchmark.ts'

/** @throws BenchError `bench-work-not-done` */
export async function framesInNode(
  workload: FrameWorkload,
  progress: (line: string) => void,
): Promise<readonly FrameRow[]> {
  const { subtle } = globalThis.crypto
  const node = { name: 'node:crypto', aead: nodeAead, bare: bareNodeCrypto() }
  const web = {
    name: 'WebCrypto in Node',
    aead: webCryptoAead(subtle),
    bare: await bareWebCrypto(subtle),
  }
  return [
    ...(await runFrameBenchmark(node, workload, progress)),
    ...(await runFrameBenchmark(web, workload, progress)),
  ]
}
