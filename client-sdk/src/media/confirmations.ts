import type { Clock } from '@conclave/core'
import { MediaError } from './error.ts'

/** How long the worker may take to answer, in milliseconds. */
export const CONFIRMATION_TIMEOUT_MS = 10_000

interface Pending<Answer> {
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

  /** @throws MediaError `media-worker-failed` when no answer comes in time, and what fails them all */
  expect(id: number): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const cancel = this.#clock.setTimer(CONFIRMATION_TIMEOUT_MS, () => {
        this.#pending.delete(id)
        reject(new MediaError('media-worker-failed', 'the media worker did not answer'))
      })
      this.#pending.set(id, {
        resolve(answer) {
          cancel()
          resolve(answer)
        },
        reject(error) {
          cancel()
          reject(error)
        },
      })
    })
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
