import { memoryStore } from '../../src/store/memoryStore.ts'
import { describeStore } from './storeContract.ts'

describeStore('the in-memory store', async (options) => memoryStore(options))
