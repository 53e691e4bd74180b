import type { Clock } from '@conclave/core'

/** How often the worker is asked whether it is there, in milliseconds. */
export const WORKER_PING_MS = 5_000
/** How many questions may be open: a page that was frozen finds one, whose answer waits beside it. */
const MAX_UNANSWERED = 2

/** Notices a worker that is stuck or gone without having said so. */
export class WorkerWatch {
  readonly #clock: Clock
  readonly #worker: { ask(): void; silent(): void }
  #unanswered = 0
  #cancel: () => void = () => {}

  /** @param worker `silent` is called when it has answered nothing for 10 to 15 s */
  constructor(clock: Clock, worker: { ask(): void; silent(): void }) {
    this.#clock = clock
    this.#worker = worker
  }

  /** Watches a worker that has just been started. */
  start(): void {
    this.stop()
    this.#unanswered = 0
    this.#cancel = this.#clock.setTimer(WORKER_PING_MS, () => this.#look())
  }

  heard(): void {
    this.#unanswered = 0
  }

  stop(): void {
    this.#cancel()
  }

  #look(): void {
    if (this.#unanswered >= MAX_UNANSWERED) {
      this.#worker.silent()
      return
    }
    this.#unanswered++
    this.#worker.ask()
    this.#cancel = this.#clock.setTimer(WORKER_PING_MS, () => this.#look())
  }
}
