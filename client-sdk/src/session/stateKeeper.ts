import { ConclaveError } from '@conclave/core'

export interface StateKeeperHost {
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  /**
   * Has the present state written down, after all that were before it.
   * @throws SessionError `store-unavailable`
   */
  keep(): Promise<void>
  problem(error: ConclaveError): void
}

/**
 * Has states written down as they come: of those that come while one is being written the newest,
 * so that a slow store falls behind by one and no more. What is not written when the process dies,
 * the log has. Its methods are called in the session's lane, where a state is whole.
 */
export class StateKeeper {
  readonly #host: StateKeeperHost
  #writing = false
  #again = false
  #stopped = false

  constructor(host: StateKeeperHost) {
    this.#host = host
  }

  /** The session goes on without; if the state cannot be kept, that is told as a problem. */
  soon(): void {
    if (this.#stopped) return
    if (this.#writing) this.#again = true
    else void this.#write()
  }

  /**
   * Resolves once the present state outlasts a crash.
   * @throws SessionError `store-unavailable`
   */
  async now(): Promise<void> {
    this.#again = false
    await this.#host.keep()
  }

  stop(): void {
    this.#stopped = true
    this.#again = false
  }

  async #write(): Promise<void> {
    this.#writing = true
    try {
      await this.#host.keep()
    } catch (error) {
      if (this.#stopped) return
      if (error instanceof ConclaveError) this.#host.problem(error)
      else this.#host.run(() => Promise.reject(error))
    } finally {
      this.#writing = false
    }
    if (!this.#again) return
    this.#again = false
    this.#host.run(async () => this.soon())
  }
}
