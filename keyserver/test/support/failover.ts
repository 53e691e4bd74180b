import { memoryStore } from '@conclave/keyserver'
import type { Store } from '../../src/store/store.ts'
import { StoreError } from '../../src/store/storeError.ts'

/** A store that acknowledges before its replicas have everything. */
export class Failover {
  replicate = true
  reachable = true
  #held: { readonly name: keyof Store; readonly all: () => Promise<void> } | undefined
  /** The first has what is acknowledged. */
  readonly #stores = Array.from({ length: 3 }, (): Store => ({ ...memoryStore(), shared: true }))
  readonly store: Store

  constructor() {
    const [first] = this.#stores as [Store]
    this.store = new Proxy(first, {
      get: (target, name: keyof Store) => {
        if (typeof target[name] !== 'function') return target[name]
        return async (...args: readonly unknown[]) => {
          if (!this.reachable) throw new StoreError('store-unreachable', 'cut off')
          if (this.#held?.name === name) await this.#held.all()
          const [own, ...copies] = this.#stores.map((store) => {
            const step = store[name] as (...args: readonly unknown[]) => Promise<unknown>
            return () => Reflect.apply(step, store, args)
          })
          if (this.replicate) for (const step of copies) void step()
          return own?.()
        }
      },
    })
  }

  /** The next so many of these steps are taken once all of them are to be. */
  hold(name: keyof Store, count: number): void {
    const together = Promise.withResolvers<void>()
    let missing = count
    this.#held = {
      name,
      all: async () => {
        missing -= 1
        if (missing <= 0) together.resolve()
        await together.promise
      },
    }
  }

  happen(): void {
    this.#stores.shift()
  }
}
