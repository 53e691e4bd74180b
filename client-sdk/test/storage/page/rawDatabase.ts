declare global {
  interface Window {
    RawDatabase: typeof RawDatabase
  }
}

/** What may happen to a table of a store behind its back. */
export type Tampering = 'empty' | 'swap' | 'cut' | 'text'

/** A store's database as any script of the origin finds it. */
export class RawDatabase {
  readonly #database: IDBDatabase

  private constructor(database: IDBDatabase) {
    this.#database = database
  }

  static async open(name: string): Promise<RawDatabase> {
    return new RawDatabase(await resultOf(indexedDB.open(name)))
  }

  close(): void {
    this.#database.close()
  }

  /** Tries to get the store's keys out in every way there is; resolves to what came of each. */
  async exportKeys(): Promise<string[]> {
    const keys = this.#database.transaction('keys').objectStore('keys')
    const record: Record<string, CryptoKey> = await resultOf(keys.get('store'))
    const algorithm = { name: 'AES-GCM', length: 256, iv: new Uint8Array(12) }
    const wrapping = await crypto.subtle.generateKey(algorithm, true, ['wrapKey'])
    const attempts = Object.values(record).flatMap((key) => [
      crypto.subtle.exportKey('raw', key),
      crypto.subtle.exportKey('jwk', key),
      crypto.subtle.wrapKey('raw', key, wrapping, algorithm),
    ])
    const outcomes = await Promise.allSettled(attempts)
    return outcomes.map((each) => (each.status === 'rejected' ? each.reason.name : 'exported'))
  }

  async tamper(table: string, tampering: Tampering): Promise<void> {
    const transaction = this.#database.transaction(table, 'readwrite')
    const store = transaction.objectStore(table)
    const [first, second] = await resultOf(store.getAllKeys())
    const [stored] = await resultOf(store.getAll())
    if (tampering === 'empty') store.clear()
    else if (tampering === 'swap') store.put(stored, second)
    else if (tampering === 'cut') store.put(stored.slice(0, 20), first)
    else store.put('text', first)
    await new Promise((resolve) => {
      transaction.oncomplete = resolve
    })
  }
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
