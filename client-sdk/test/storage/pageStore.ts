import type { Page } from 'playwright-core'
import type { SessionStore } from '../../src/index.ts'
import type { Outcome } from './page/stores.ts'

/** A store in IndexedDB in a page, as if it were here; opened anew by each call of this. */
export function storeInPage(page: Page, name: string): SessionStore {
  const opened = page.evaluate((name) => window.stores.open(name), name)
  // A page may be gone before anybody has used the store.
  opened.catch(() => {})
  return {
    read: async (key) => {
      const args = { store: await opened, key }
      const value = outcome(
        await page.evaluate(({ store, key }) => window.stores.read(store, key), args),
      )
      return value === null ? undefined : Uint8Array.from(value)
    },
    write: async (changes) => {
      const sent = [...changes].map(([key, value]) => [key, value ? [...value] : null] as const)
      const args = { store: await opened, sent }
      outcome(await page.evaluate(({ store, sent }) => window.stores.write(store, sent), args))
    },
    readOrWrite: async (key, value) => {
      const sent = [...value]
      const args = { store: await opened, key, sent }
      const held = await page.evaluate(
        ({ store, key, sent }) => window.stores.readOrWrite(store, key, sent),
        args,
      )
      return Uint8Array.from(outcome(held))
    },
    keys: async (prefix) => {
      const args = { store: await opened, prefix }
      return outcome(
        await page.evaluate(({ store, prefix }) => window.stores.keys(store, prefix), args),
      )
    },
    hold: async (name) => {
      const args = { store: await opened, name }
      const lock = outcome(
        await page.evaluate(({ store, name }) => window.stores.hold(store, name), args),
      )
      if (lock === null) return undefined
      return () => {
        // What comes after is done after: the page takes calls in their order.
        page.evaluate((lock) => window.stores.release(lock), lock).catch(() => {})
      }
    },
  }
}

function outcome<T>(of: Outcome<T>): T {
  if ('error' in of) throw Object.assign(new Error('the store in the page failed'), of.error)
  return of.result
}
