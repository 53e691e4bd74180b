import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { SessionStore } from '../../src/index.ts'
import { fileStore } from '../../src/node/index.ts'

export const databaseFile = 'sessions.db'
export const keyFile = 'key'

/** Makes empty directories for stores, which are gone when the file's tests are over. */
export function storeDirectories(): () => Promise<string> {
  let root = ''
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'conclave-store-'))
  })
  afterAll(() => rm(root, { recursive: true, force: true }))
  return () => mkdtemp(join(root, 'directory-'))
}

/** A store as a process finds it that has just started. */
export function storeIn(directory: string): SessionStore {
  return fileStore({ directory, keyFile: join(directory, keyFile) })
}
