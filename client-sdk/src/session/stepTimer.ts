import type { Clock } from '@conclave/core'

/**
 * Has a step of the session run later; one that is set anew runs instead of the one before. What is
 * cancelled does not run, even where its time has come and other steps are before it.
 */
export class StepTimer {
  readonly #clock: Clock
  readonly #run: (step: () => Promise<void>) => void
  #due: object | undefined
  #cancel: (() => void) | undefined

  constructor(clock: Clock, run: (step: () => Promise<void>) => void) {
    this.#clock = clock
    this.#run = run
  }

  /** Whether its time has not come yet. */
  get isSet(): boolean {
    return this.#cancel !== undefined
  }

  /** @param ms milliseconds */
  set(ms: number, step: () => Promise<void>): void {
    this.cancel()
    const due = {}
    this.#due = due
    this.#cancel = this.#clock.setTimer(ms, () => {
      this.#cancel = undefined
      this.#run(async () => {
        if (this.#due === due) await step()
      })
    })
  }

  cancel(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#due = undefined
  }
}
