import { DatabaseSync } from 'node:sqlite'
import { storeCorrupted, storeUnavailable } from '../storage/storeErrors.ts'

/**
 * Opens a database, which is closed again where the work fails.
 * @throws SessionError `store-corrupted`, `store-unavailable`
 */
export function withDatabase<T>(path: string, work: (database: DatabaseSync) => T): T {
  return withTypedErrors(() => {
    const database = new DatabaseSync(path)
    try {
      return work(database)
    } catch (error) {
      database.close()
      throw error
    }
  })
}

/**
 * SQLite's primary result codes (sqlite.org/rescode.html) that tell of its surroundings: PERM, BUSY,
 * LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN. All others tell of the file.
 */
const surroundings: readonly number[] = [3, 5, 6, 7, 8, 10, 13, 14]
/** IOERR_SHORT_READ: the file ends too early. */
const shortRead = 522

/** @throws SessionError `store-corrupted`, `store-unavailable` */
export function withTypedErrors<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const result = resultCodeOf(cause)
    if (result === undefined) throw cause
    if (result === shortRead || !surroundings.includes(result & 0xff)) {
      throw storeCorrupted('its file is no longer whole', cause)
    }
    throw storeUnavailable('Make room, and let this user write to the directory.', cause)
  }
}

/** Whether another connection is in the way. */
export function isBusy(error: unknown): boolean {
  const busy = 5
  return ((resultCodeOf(error) ?? 0) & 0xff) === busy
}

function resultCodeOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  return typeof code === 'number' ? code : undefined
}
