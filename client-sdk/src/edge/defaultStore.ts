import { memorySessionStore, type SessionStore } from '../session/store.ts'
import { indexedDbStore } from './indexedDbStore.ts'

let shared: SessionStore | undefined

/** Where sessions are kept unless the application says: in IndexedDB, and in memory without it. */
export function defaultStore(): SessionStore {
  if (typeof indexedDB === 'undefined') return memorySessionStore()
  // All meetings of a page are one device's.
  shared ??= indexedDbStore()
  return shared
}
