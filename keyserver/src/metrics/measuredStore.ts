import type { Clock } from '@conclave/core'
import type { Store } from '../store/store.ts'

/** The same store, which says after each step how long it took. */
export function measuredStore(
  store: Store,
  clock: Pick<Clock, 'now'>,
  told: (step: keyof Store, ms: number, succeeded: boolean) => void,
): Store {
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const value: unknown = target[name]
      if (typeof value !== 'function') return value
      return async (...args: readonly unknown[]): Promise<unknown> => {
        const started = clock.now()
        let succeeded = false
        try {
          const result: unknown = await Reflect.apply(value, target, args)
          succeeded = true
          return result
        } finally {
          told(name, clock.now() - started, succeeded)
        }
      }
    },
  })
}
