import type { Clock } from '@conclave/core'

export type NotReady = 'draining' | 'store-unreachable'

/** How long the store may take to answer, in milliseconds. */
const checkMs = 1_000

/** Whether a load balancer should send clients here. However often it is asked, one check runs. */
export class Readiness {
  readonly #check: () => Promise<void>
  readonly #clock: Clock
  #draining = false
  #checking: Promise<NotReady | undefined> | undefined

  /** @param check rejects where the store cannot be reached */
  constructor(check: () => Promise<void>, clock: Clock) {
    this.#check = check
    this.#clock = clock
  }

  /** From now on it is not ready. */
  drain(): void {
    this.#draining = true
  }

  async problem(): Promise<NotReady | undefined> {
    if (this.#draining) return 'draining'
    this.#checking ??= this.#checked().finally(() => {
      this.#checking = undefined
    })
    return await this.#checking
  }

  async #checked(): Promise<NotReady | undefined> {
    const late = Promise.withResolvers<NotReady>()
    const cancel = this.#clock.setTimer(checkMs, () => late.resolve('store-unreachable'))
    const answered = this.#check().then(
      () => undefined,
      (): NotReady => 'store-unreachable',
    )
    try {
      return await Promise.race([answered, late.promise])
    } finally {
      cancel()
    }
  }
}
