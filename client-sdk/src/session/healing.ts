import type { Clock, RandomBytes } from '@conclave/core'

/** A leaf that has been as it is for so long is renewed, in milliseconds; up to a quarter later. */
const renewAfterMs = 8 * 60_000
/** How often is looked whether the device has slept. */
const lookMs = 30_000
/** A look that comes so much too late comes after a sleep. */
const sleptMs = 30_000
/** The pause after an attempt that has changed nothing, at least. */
const againMs = 5_000

/**
 * When our own leaf's keys are to be renewed, so that whoever has got hold of them knows nothing of
 * what comes (post-compromise security, RFC 9750 §8.2.2): at least every ten minutes, and after the
 * device has slept, while it may have been in other hands. Members do so at different times. Also
 * when a key has protected nearly as much as it may.
 */
export class Healing {
  readonly #clock: Clock
  readonly #random: RandomBytes
  readonly #due: () => void
  #dueAt = 0
  #lookedAt = 0
  #cancel: (() => void) | undefined

  /** @param due is called when it is time, and again until `renewed` is */
  constructor(clock: Clock, random: RandomBytes, due: () => void) {
    this.#clock = clock
    this.#random = random
    this.#due = due
  }

  /** Our leaf has new keys, or keys that were made at that time, in milliseconds since 1970. */
  renewed(madeAt = this.#clock.now()): void {
    this.#dueAt = madeAt + this.#jittered(renewAfterMs)
    this.#lookLater()
  }

  /** Our keys are to be renewed now, whatever their age. */
  hasten(): void {
    this.#dueAt = Math.min(this.#dueAt, this.#clock.now())
    this.#lookLater()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #lookLater(): void {
    this.#cancel?.()
    this.#lookedAt = this.#clock.now()
    const untilDue = this.#dueAt - this.#lookedAt
    this.#cancel = this.#clock.setTimer(Math.min(lookMs, Math.max(0, untilDue)), () => this.#look())
  }

  #look(): void {
    const now = this.#clock.now()
    const slept = now - this.#lookedAt > lookMs + sleptMs
    // A clock that was set back must not put off what is due.
    const isDue = now >= this.#dueAt || now < this.#lookedAt
    if (isDue || slept) {
      this.#dueAt = now + this.#jittered(againMs)
      this.#due()
    }
    this.#lookLater()
  }

  #jittered(ms: number): number {
    const [lot = 0] = this.#random(1)
    return ms * (1 + lot / 1024)
  }
}
