import type { Clock } from '@conclave/core'
import { webCryptoAead, webCryptoHash } from '@conclave/core/sframe'
import type { PageMessage, WorkerMessage } from '../messages.ts'
import { type FrameTransformer, FrameWorker } from './frameWorker.ts'

/** What is used of DedicatedWorkerGlobalScope, whose types exclude those of the page. */
interface FrameWorkerScope {
  onmessage: ((event: { readonly data: PageMessage }) => void) | null
  onrtctransform: ((event: { readonly transformer: FrameTransformer }) => void) | null
  postMessage(message: WorkerMessage): void
  close(): void
}

const scope = globalThis as unknown as FrameWorkerScope

/** Unlike Date, `performance` never goes back, so that no key outlives its time. */
const clock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, Math.max(0, delayMs))
    return () => clearTimeout(timer)
  },
}

const frames = new FrameWorker({
  clock,
  aead: webCryptoAead(crypto.subtle),
  hash: webCryptoHash(crypto.subtle),
  post(message) {
    scope.postMessage(message)
    if (message.type === 'closed') scope.close()
  },
})

scope.onmessage = (event) => frames.handle(event.data)
scope.onrtctransform = (event) => frames.attach(event.transformer)
