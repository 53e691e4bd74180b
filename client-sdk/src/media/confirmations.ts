import type { Clock } from '@conclave/core'
import { MediaError } from './error.ts'

/** How long the worker may take to answer, in milliseconds. */
export const CONFIRMATION_TIMEOUT_MS = 10_000

interface Pending<Answer> {
  readonly promise: Promise<Answer>
  resolve(answer: Answer): void
  reject(error: MediaError): void
}

/** Answers that the worker owes, by number. */
export class Confirmations<Answer> {
  readonly #clock: Clock
  readonly #pending = new Map<number, Pending<Answer>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * The answer of that number, which may be awaited already.
   * @throws MediaError `media-worker-failed` when none comes in time, and what fails them all
   */
  expect(id: number): Promise<Answer> {
    const pending = this.#pending.get(id)
    if (pending !== undefined) return pending.promise
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const cancel = this.#clock.setTimer(CONFIRMATION_TIMEOUT_MS, () => {
      this.#pending.delete(id)
      reject(new MediaError('media-worker-failed', 'the media worker did not answer'))
    })
    this.#pending.set(id, {
      promise,
      resolve(answer) {
        cancel()
        resolve(answer)
      },
      reject(error) {
        cancel()
        reject(error)
      },
    })
    return promise
  }

  confirm(id: number, answer: Answer): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    pending?.resolve(answer)
  }

  failAll(error: MediaError): void {
    const failed = [...this.#pending.values()]
    this.#pending.clear()
    for (const pending of failed) pending.reject(error)
  }
}
