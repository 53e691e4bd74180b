import type { Clock } from '@conclave/core'
import { memoryStore, type Store } from '@conclave/keyserver'

/** Steps that change something. */
const changing: ReadonlySet<keyof Store> = new Set<keyof Store>([
  'createGroup',
  'closeGroup',
  'appendProposal',
  'appendCommit',
  'appendVoid',
  'appendReturned',
  'addWaiting',
  'withdrawWaiting',
  'dropWelcome',
  'attach',
  'detach',
  'renewLease',
  'markLeaving',
  'readPresence',
  'addStatus',
])

/** Of these the ones about who is there. */
const presence: ReadonlySet<keyof Store> = new Set<keyof Store>(['attach', 'detach', 'renewLease'])

interface Step {
  readonly at: number
  readonly name: keyof Store
  readonly args: readonly unknown[]
}

/** Told of every step after it was taken. */
export type StepListener = <N extends keyof Store>(
  name: N,
  args: readonly unknown[],
  result: unknown,
) => void

/**
 * The memory store as instances share it, which can lose its newest steps, as a store does whose
 * replica takes over: it is built again from those before.
 */
export class JournaledStore {
  readonly store: Store
  readonly #clock: Pick<Clock, 'now'>
  readonly #told: StepListener
  #inner = memoryStore()
  #journal: Step[] = []

  constructor(clock: Pick<Clock, 'now'>, told: StepListener) {
    this.#clock = clock
    this.#told = told
    this.store = new Proxy(this.#inner, {
      get: (_, name: keyof Store) => {
        if (name === 'shared') return true
        if (name === 'durable') return false
        return (...args: readonly unknown[]) => this.#take(name, args)
      },
    })
  }

  /** Loses what was done lately, or of that only what is not about who is there. */
  lose(lately: number, options: { readonly butPresence: boolean }): void {
    const since = this.#clock.now() - lately
    const first = this.#journal.findIndex(({ at }) => at >= since)
    const lost = first === -1 ? [] : this.#journal.splice(first)
    if (options.butPresence) this.#journal.push(...lost.filter(({ name }) => presence.has(name)))
    this.#inner = memoryStore()
    // Every step is taken in the moment that it is called in.
    for (const { name, args } of this.#journal) void this.#call(name, args)
  }

  async #take(name: keyof Store, args: readonly unknown[]): Promise<unknown> {
    if (changing.has(name)) this.#journal.push({ at: this.#clock.now(), name, args })
    const result = await this.#call(name, args)
    this.#told(name, args, result)
    return result
  }

  #call(name: keyof Store, args: readonly unknown[]): Promise<unknown> {
    const step = this.#inner[name] as (...args: readonly unknown[]) => Promise<unknown>
    return Reflect.apply(step, this.#inner, args)
  }
}
