import type { Clock } from '@conclave/core'
import { type Store, StoreError } from '@conclave/keyserver'
import type { Chance } from '../chance.ts'

/** The longest that a call or its answer is under way, in milliseconds. */
const slowestMs = 5

/** How an instance gets at the store. */
export interface StoreAccess {
  readonly clock: Clock
  readonly chance: Chance
  /** Whether the instance is still running. */
  isAlive(): boolean
  /** Whether the store cannot be reached. */
  isOut(): boolean
  /** Whether this call takes its time. */
  isSlow(): boolean
  met(step: string, fault: string): void
}

/**
 * The shared store as one instance sees it. A call of an instance that dies may have had its effect
 * or not; so may one that fails because the store cannot be reached.
 */
export function instanceStore(store: Store, access: StoreAccess): Store {
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const step: unknown = target[name]
      if (typeof step !== 'function') return step
      return async (...args: readonly unknown[]): Promise<unknown> => {
        const take = (): Promise<unknown> => Reflect.apply(step, target, args)
        return await call(name, take, access)
      }
    },
  })
}

async function call(
  name: string,
  take: () => Promise<unknown>,
  access: StoreAccess,
): Promise<unknown> {
  await underWay(access)
  if (access.isOut()) {
    access.met(name, 'store out')
    const tookEffect = access.chance.happens(0.3)
    if (tookEffect) await take()
    throw new StoreError('store-unreachable', 'the store is out')
  }
  const result = await take()
  await underWay(access)
  return result
}

async function underWay({ clock, chance, isAlive, isSlow }: StoreAccess): Promise<void> {
  if (isSlow()) {
    await new Promise<void>((resolve) => {
      clock.setTimer(chance.between(0, slowestMs), resolve)
    })
  }
  if (!isAlive()) await new Promise(() => {})
}
