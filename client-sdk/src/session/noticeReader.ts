import { type Notice, NoticeQueue } from './noticeQueue.ts'

export interface NoticeReaderHost {
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  handle(notice: Notice): Promise<void>
  /** One has been handled. */
  handled(): void
  /** Some found no room, and have to be asked for. */
  dropped(): void
}

/** Takes the keyserver's notices one at a time. They wait outside the lane, where they can be bounded. */
export class NoticeReader {
  readonly #host: NoticeReaderHost
  readonly #queue = new NoticeQueue()
  #reading = false

  constructor(host: NoticeReaderHost) {
    this.#host = host
  }

  came(notice: Notice): void {
    this.#queue.offer(notice)
    if (this.#reading) return
    this.#reading = true
    this.#host.run(() => this.#next())
  }

  clear(): void {
    this.#queue.clear()
  }

  async #next(): Promise<void> {
    try {
      const next = this.#queue.take()
      if (next !== undefined) await this.#host.handle(next)
    } finally {
      this.#reading = !this.#queue.isEmpty
      if (this.#reading) this.#host.run(() => this.#next())
      else if (this.#queue.takeDropped()) this.#host.dropped()
    }
    this.#host.handled()
  }
}
