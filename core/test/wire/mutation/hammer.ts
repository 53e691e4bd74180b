import { Worker } from 'node:worker_threads'
import { toHex } from '@conclave/core/codec'

/** What to do to a decoder. */
export interface Hammering {
  /** Of one of `decoders`, or of `faultyDecoders`. */
  readonly name: string
  readonly seed: number
  readonly runs: number
  /** How long a single run may take before it counts as endless, in milliseconds. */
  readonly patienceMs: number
}

export type FailureKind =
  /** It accepted bytes that are not the encoding of what it read from them. */
  | 'not-strict'
  /** It failed otherwise than by a CodecError, or by one that is not for input. */
  | 'foreign-error'
  /** It allocated more than its input justifies. */
  | 'over-allocation'
  /** It did not return. */
  | 'endless'

export interface Failure {
  readonly kind: FailureKind
  /** With the seed it makes the same input again. */
  readonly run: number
  readonly message: string
}

/** What the runs came to. */
export interface Figures {
  accepted: number
  /** Runs by the code of the CodecError that they ended with. */
  readonly refused: Record<string, number>
  /** What one run allocated at most, garbage included, in bytes. */
  mostAllocated: number
  slowestMs: number
}

export interface Hammered {
  readonly figures: Figures
  readonly failure?: Failure & {
    /** The damaged encoding, in hex. */
    readonly input: string
  }
}

export interface ThreadData extends Omit<Hammering, 'patienceMs'> {
  /** The number of the run that the thread is in, -1 before the first, and how long its input is. */
  readonly run: Int32Array<SharedArrayBuffer>
  readonly input: Uint8Array<SharedArrayBuffer>
}

export interface ThreadResult {
  readonly figures: Figures
  readonly failure?: Failure
}

/** No input is longer. */
const longestInput = 2 ** 17
/** How often, in milliseconds, and up to how many more bytes in this process than at the start. */
const watchMs = 50
const memoryLimit = 2 ** 29

/**
 * Has a decoder read damaged encodings in a thread of its own, and watches from outside for a run
 * that does not end or takes all memory. Stops at the first failure.
 */
export function hammer({ patienceMs, ...rest }: Hammering): Promise<Hammered> {
  const run = new Int32Array(new SharedArrayBuffer(8)).fill(-1)
  const input = new Uint8Array(new SharedArrayBuffer(longestInput))
  const workerData: ThreadData = { ...rest, run, input }
  const thread = new Worker(new URL('./hammerThread.ts', import.meta.url), {
    workerData,
    // Node strips types without being told to from 22.18 on.
    execArgv: [
      '--conditions=conclave:source',
      '--experimental-strip-types',
      '--disable-warning=ExperimentalWarning',
    ],
  })
  const inputRead = () => toHex(input.slice(0, Math.max(0, Atomics.load(run, 1))))
  const none: Figures = { accepted: 0, refused: {}, mostAllocated: 0, slowestMs: 0 }

  return new Promise((resolve, reject) => {
    const memoryBefore = process.memoryUsage.rss()
    let seen = { run: -1, at: 0 }
    const watch = setInterval(() => {
      const now = performance.now()
      const current = Atomics.load(run, 0)
      if (current !== seen.run) seen = { run: current, at: now }
      else if (current >= 0 && now - seen.at > patienceMs) {
        stop('endless', `no end within ${patienceMs} ms`)
      }
      const taken = process.memoryUsage.rss() - memoryBefore
      if (taken > memoryLimit) stop('over-allocation', `${taken} bytes and more`)
    }, watchMs)
    /** Ends a thread that cannot report for itself. */
    const stop = (kind: FailureKind, message: string) => {
      clearInterval(watch)
      const failure = { kind, run: Atomics.load(run, 0), message, input: inputRead() }
      resolve({ figures: none, failure })
      void thread.terminate()
    }
    thread.on('message', ({ figures, failure }: ThreadResult) => {
      resolve({ figures, ...(failure && { failure: { ...failure, input: inputRead() } }) })
    })
    thread.on('error', reject)
    thread.on('exit', () => {
      clearInterval(watch)
      reject(new Error(`the thread ended in run ${Atomics.load(run, 0)} without a word`))
    })
  })
}
