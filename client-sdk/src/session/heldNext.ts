import { forgetNext, type NextPlace } from './nextPlace.ts'

/** What lets us into the next group, for as long as it may. */
export class HeldNext {
  readonly #store: (next: NextPlace) => Promise<void>
  #current: NextPlace | undefined
  #closed = false

  /** @param store resolves once it outlasts a crash; throws SessionError `store-unavailable` */
  constructor(store: (next: NextPlace) => Promise<void>) {
    this.#store = store
  }

  get current(): NextPlace | undefined {
    return this.#current
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Takes what is in the store already, instead of what was held before. */
  restore(next: NextPlace): void {
    this.drop()
    this.#current = next
  }

  /**
   * Takes what goes on with the same offer.
   * @throws SessionError `store-unavailable`
   */
  async keep(next: NextPlace): Promise<void> {
    this.#current = next
    await this.#store(next)
  }

  /** Gives it away, to be used or wiped. */
  give(): NextPlace | undefined {
    const next = this.#current
    this.#current = undefined
    return next
  }

  drop(): void {
    const next = this.give()
    if (next !== undefined) forgetNext(next)
  }

  close(): void {
    this.#closed = true
    this.drop()
  }
}
