import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Bytes } from '@conclave/core/codec'
import { isBusy, withDatabase } from './sqliteDatabase.ts'

const folder = 'locks'

/** A connection that nothing refers to would be closed with the garbage, and its lock be gone. */
const held = new Set<DatabaseSync>()

/**
 * Takes a lock of the operating system's that no process holds, and no other part of this one, and
 * gives what releases it; undefined where one does. It ends with the process. There are 4,096, each
 * an empty file that stays: a few names share one, and none can be read from it.
 *
 * @param id of the lock, which its name has been hashed to with a secret key
 * @throws SessionError `store-corrupted`, `store-unavailable`; errors of the file system
 */
export async function holdLockFile(
  directory: string,
  id: Bytes,
): Promise<(() => void) | undefined> {
  const locks = join(directory, folder)
  await mkdir(locks, { recursive: true, mode: 0o700 })
  const [high = 0, low = 0] = id
  const file = (((high << 8) | low) >> 4).toString(16).padStart(3, '0')
  const database = withDatabase(join(locks, file), (database) => {
    if (begins(database)) return database
    database.close()
    return undefined
  })
  if (database === undefined) return undefined
  held.add(database)
  return () => {
    if (held.delete(database)) database.close()
  }
}

/**
 * Begins a transaction that is never written to. SQLite rather than a lock of our own: a process
 * that closes any descriptor of a file gives up all its POSIX locks on it, and SQLite sees to that
 * (sqlite.org/lockingv3.html). BEGIN IMMEDIATE and not EXCLUSIVE: it takes its one lock in one step,
 * and of those who try at the same time one gets it.
 */
function begins(database: DatabaseSync): boolean {
  try {
    // In memory: a journal would be another file.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE')
    return true
  } catch (error) {
    if (isBusy(error)) return false
    throw error
  }
}
