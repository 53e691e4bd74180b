import { join } from 'node:path'
import type { SessionStore } from '../../src/index.ts'
import { fileStore } from '../../src/node/index.ts'

export const databaseFile = 'sessions.db'
export const keyFile = 'key'

/** A store as a process finds it that has just started. */
export function storeIn(directory: string): SessionStore {
  return fileStore({ directory, keyFile: join(directory, keyFile) })
}
