import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'

/** Makes empty directories for stores, which are gone when the file's tests are over. */
export function storeDirectories(): () => Promise<string> {
  let root = ''
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'conclave-store-'))
  })
  afterAll(() => rm(root, { recursive: true, force: true }))
  return () => mkdtemp(join(root, 'directory-'))
}
