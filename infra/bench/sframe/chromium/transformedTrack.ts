import { BenchError } from '../../benchError.ts'
import type { BenchFrame } from './benchFrame.ts'

/** How long a block of frames may take, in milliseconds: far more than it does. */
const patienceMs = 20_000

/** The ends that a browser gives to a transform of encoded frames: what goes in, and what comes out. */
export class TransformedTrack {
  readonly readable: ReadableStream<BenchFrame>
  readonly writable: WritableStream<BenchFrame>
  #queue: ReadableStreamDefaultController<BenchFrame> | undefined
  #handOn: (frame: BenchFrame) => void = () => {}

  constructor() {
    this.readable = new ReadableStream({
      start: (queue) => {
        this.#queue = queue
      },
    })
    this.writable = new WritableStream({ write: (frame) => this.#handOn(frame) })
  }

  /**
   * Lets frames through, all of which are there at once.
   * @throws BenchError `bench-work-not-done` where one does not come out
   */
  async pass(frames: readonly BenchFrame[], handOn: (frame: BenchFrame) => void): Promise<void> {
    let missing = frames.length
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new BenchError('bench-work-not-done', `${missing} frames did not come out`))
      }, patienceMs)
      this.#handOn = (frame) => {
        handOn(frame)
        missing -= 1
        if (missing > 0) return
        clearTimeout(timer)
        resolve()
      }
      for (const frame of frames) this.#queue?.enqueue(frame)
    })
  }
}
