import type { SessionStore } from '../session/store.ts'
import { EntryCipher, type StoreKeys } from '../storage/entryCipher.ts'
import { type SealedEntries, sealedStore } from '../storage/sealedStore.ts'
import { storeCorrupted, storeUnavailable } from '../storage/storeErrors.ts'
import { systemRandom } from './platform.ts'
import { holdWebLock } from './webLocks.ts'

export interface IndexedDbStoreOptions {
  /** The database's name, for the page's origin; `conclave` where not given. */
  readonly name?: string
}

/**
 * Keeps sessions in the browser's IndexedDB, encrypted, names too, with keys that no script can
 * export and that are made on first use. Tabs of one origin share it. Opened when it is first used.
 *
 * What a script of the same origin can do through the store it can do without it; docs/storage.md
 * tells what is protected from whom.
 */
export function indexedDbStore({ name = 'conclave' }: IndexedDbStoreOptions = {}): SessionStore {
  let opening: Promise<SealedEntries> | undefined
  const open = async () => {
    opening ??= connect(name, () => {
      opening = undefined
    })
    try {
      return await opening
    } catch (error) {
      // The next call tries again.
      opening = undefined
      throw error
    }
  }
  // No database's locks are another's, however their names run into each other.
  return sealedStore(open, (lock) => holdWebLock(`conclave ${JSON.stringify([name, lock])}`))
}

const keysTable = 'keys'
const namesTable = 'names'
const valuesTable = 'values'
const tables = [keysTable, namesTable, valuesTable] as const
type Table = (typeof tables)[number]

/** Of the one record in its table. */
const keysRecord = 'store'

/** @param closed the connection has been taken away; the next use needs another */
async function connect(name: string, closed: () => void): Promise<SealedEntries> {
  const database = await opened(name)
  database.onclose = closed
  // Another tab wants to delete the database.
  database.onversionchange = () => {
    database.close()
    closed()
  }
  try {
    const keys = await settledKeys(database)
    return sealedEntries(database, new EntryCipher(crypto.subtle, systemRandom, keys))
  } catch (error) {
    database.close()
    throw error
  }
}

function opened(name: string): Promise<IDBDatabase> {
  return withTypedErrors(() => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => {
      for (const table of tables) request.result.createObjectStore(table)
    }
    return resultOf(request)
  })
}

/** The store's keys: of tabs that come first at the same time, one makes them for all. */
async function settledKeys(database: IDBDatabase): Promise<StoreKeys> {
  const stored = await transact(database, [keysTable], 'readonly', ({ keys }) => storedKeys(keys))
  if (stored !== undefined) return stored
  // Nothing else may be awaited within a transaction: keys are made ahead of it.
  const made = await makeKeys()
  return transact(database, [keysTable, namesTable], 'readwrite', async ({ keys, names }) => {
    const others = await storedKeys(keys)
    if (others !== undefined) return others
    if ((await resultOf(names.count())) > 0) throw storeCorrupted('its keys are gone')
    keys.put(made, keysRecord)
    return made
  })
}

async function storedKeys(table: IDBObjectStore): Promise<StoreKeys | undefined> {
  const stored: Partial<StoreKeys> | null | undefined = await resultOf(table.get(keysRecord))
  if (stored === undefined) return undefined
  const { sealing, naming } = stored ?? {}
  if (isKeyFor('AES-GCM', sealing) && isKeyFor('HMAC', naming)) return { sealing, naming }
  throw storeCorrupted('its keys cannot be read')
}

function isKeyFor(algorithm: string, stored: unknown): stored is CryptoKey {
  return stored instanceof CryptoKey && stored.algorithm.name === algorithm
}

async function makeKeys(): Promise<StoreKeys> {
  const aes: AesKeyGenParams = { name: 'AES-GCM', length: 256 }
  const hmac: HmacKeyGenParams = { name: 'HMAC', hash: 'SHA-256' }
  const [sealing, naming] = await Promise.all([
    crypto.subtle.generateKey(aes, false, ['encrypt', 'decrypt']),
    crypto.subtle.generateKey(hmac, false, ['sign']),
  ])
  return { sealing, naming }
}

function sealedEntries(database: IDBDatabase, cipher: EntryCipher): SealedEntries {
  return {
    cipher,
    sealedValue: (id) =>
      transact(database, [valuesTable], 'readonly', async ({ values }) => {
        const stored: unknown = await resultOf(values.get(id))
        return stored === undefined ? undefined : storedBytes(stored)
      }),
    sealedNames: () =>
      transact(database, [namesTable], 'readonly', async ({ names }) => {
        const [ids, stored]: [unknown[], unknown[]] = await Promise.all([
          resultOf(names.getAllKeys()),
          resultOf(names.getAll()),
        ])
        return ids.map((id, i) => ({ id: storedBytes(id), name: storedBytes(stored[i]) }))
      }),
    add: ({ id, name, value }) =>
      transact(database, [namesTable, valuesTable], 'readwrite', async ({ names, values }) => {
        const stored: unknown = await resultOf(values.get(id))
        if (stored !== undefined) return storedBytes(stored)
        names.put(name, id)
        values.put(value, id)
        return value
      }),
    change: (put, deleted) =>
      transact(database, [namesTable, valuesTable], 'readwrite', async ({ names, values }) => {
        for (const id of deleted) {
          names.delete(id)
          values.delete(id)
        }
        for (const { id, name, value } of put) {
          names.put(name, id)
          values.put(value, id)
        }
      }),
  }
}

/** A key of IndexedDB comes back as an ArrayBuffer. */
function storedBytes(stored: unknown): Uint8Array<ArrayBuffer> {
  if (stored instanceof ArrayBuffer) return new Uint8Array(stored)
  if (stored instanceof Uint8Array && stored.buffer instanceof ArrayBuffer) {
    return stored as Uint8Array<ArrayBuffer>
  }
  throw storeCorrupted('an entry of it is no bytes')
}

/**
 * One transaction: all that `work` asks for or, where it throws or a request fails, nothing. `work`
 * awaits requests of the transaction and nothing else.
 */
function transact<T, K extends Table>(
  database: IDBDatabase,
  names: readonly K[],
  mode: IDBTransactionMode,
  work: (tables: Record<K, IDBObjectStore>) => Promise<T>,
): Promise<T> {
  return withTypedErrors(async () => {
    // Without `strict`, what was confirmed may be lost with the machine.
    const transaction = database.transaction(names, mode, { durability: 'strict' })
    const completed = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(transaction.error ?? new DOMException('', 'AbortError'))
    })
    const stores = names.map((name) => [name, transaction.objectStore(name)])
    const working = work(Object.fromEntries(stores)).catch((error) => {
      abort(transaction)
      throw error
    })
    const [result] = await Promise.all([working, completed])
    return result
  })
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort()
  } catch {
    // A request that failed has aborted it.
  }
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

const remedy =
  'Make room, or allow the page to keep data; memorySessionStore() forgets with the page.'

async function withTypedErrors<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (cause) {
    // Whatever IndexedDB itself says: no permission, no room, a connection that was taken away.
    throw cause instanceof DOMException ? storeUnavailable(remedy, cause) : cause
  }
}
