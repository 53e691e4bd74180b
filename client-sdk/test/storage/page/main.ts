import { defaultStore } from '../../../src/edge/defaultStore.ts'
import { RawDatabase } from './rawDatabase.ts'
import { Stores } from './stores.ts'

declare global {
  interface Window {
    defaultStore: typeof defaultStore
  }
}

window.stores = new Stores()
window.RawDatabase = RawDatabase
window.defaultStore = defaultStore
