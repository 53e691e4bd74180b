import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { type Bytes, plainBytes } from '@conclave/core/codec'
import type { EntryCipher, SealedEntry } from '../storage/entryCipher.ts'
import type { SealedEntries } from '../storage/sealedStore.ts'
import { storeCorrupted } from '../storage/storeErrors.ts'
import { withDatabase, withTypedErrors } from './sqliteDatabase.ts'

/** How long one process waits for another's transaction, in milliseconds; they take a few. */
const busyTimeoutMs = 5_000

/** Makes the tables in an empty file. `keyCheck` shows later whether the key is the right one. */
export function createDatabase(path: string, keyCheck: Bytes): void {
  withDatabase(path, (database) => {
    database.exec(`
      CREATE TABLE entries (id BLOB PRIMARY KEY, name BLOB NOT NULL, value BLOB NOT NULL) STRICT;
      CREATE TABLE key_check (sealed BLOB NOT NULL) STRICT;
    `)
    database.prepare('INSERT INTO key_check VALUES (?)').run(keyCheck)
    database.close()
  })
}

/** @throws SessionError `store-corrupted`, `store-unavailable` */
export function openDatabase(path: string): DatabaseSync {
  return withDatabase(path, (database) => {
    // A rollback journal, not a write-ahead log: replaced values must not lie on in a log. In it,
    // with FULL, a commit is on the disk when it returns.
    database.exec(`
      PRAGMA busy_timeout = ${busyTimeoutMs};
      PRAGMA journal_mode = TRUNCATE;
      PRAGMA synchronous = FULL;
      PRAGMA secure_delete = ON;
    `)
    const problems = database.prepare('PRAGMA integrity_check').all()
    const [first] = problems.map((problem) => problem['integrity_check'])
    if (first !== 'ok') throw storeCorrupted(String(first))
    return database
  })
}

export function keyCheckIn(database: DatabaseSync): Bytes {
  return withTypedErrors(() =>
    blob(database.prepare('SELECT sealed FROM key_check').get()?.['sealed']),
  )
}

export function sqliteEntries(database: DatabaseSync, cipher: EntryCipher): SealedEntries {
  return withTypedErrors(() => {
    const selectValue = database.prepare('SELECT value FROM entries WHERE id = ?')
    const selectNames = database.prepare('SELECT id, name FROM entries')
    const remove = database.prepare('DELETE FROM entries WHERE id = ?')
    const insert = database.prepare(
      'INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING',
    )
    const upsert = database.prepare(
      `INSERT INTO entries VALUES (?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, value = excluded.value`,
    )
    const change = (put: readonly SealedEntry[], deleted: readonly Bytes[]) => {
      for (const id of deleted) remove.run(id)
      for (const { id, name, value } of put) upsert.run(id, name, value)
    }
    return {
      cipher,
      sealedValue: async (id) =>
        withTypedErrors(() => {
          const row = selectValue.get(id)
          return row === undefined ? undefined : blob(row['value'])
        }),
      sealedNames: async () =>
        withTypedErrors(() =>
          selectNames.all().map(({ id, name }) => ({ id: blob(id), name: blob(name) })),
        ),
      add: async ({ id, name, value }) =>
        withTypedErrors(() =>
          inTransaction(database, () => {
            insert.run(id, name, value)
            return blob(selectValue.get(id)?.['value'])
          }),
        ),
      change: async (put, deleted) =>
        withTypedErrors(() => inTransaction(database, () => change(put, deleted))),
    }
  })
}

/** One transaction; whatever it or its commit throws, nothing of it stays. */
function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    try {
      database.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself.
    }
    throw error
  }
}

function blob(value: SQLOutputValue | undefined): Bytes {
  if (value instanceof Uint8Array) return plainBytes(value)
  throw storeCorrupted('an entry of it is no bytes')
}
