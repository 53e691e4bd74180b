import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileStore } from '../../../client-sdk/src/node/index.ts'
import { findInFiles } from './filesIn.ts'

const name = `meeting/${randomBytes(24).toString('base64url')}`
const replaced = Uint8Array.from(randomBytes(64))
const value = Uint8Array.from(randomBytes(9_000))

let root: string
let directory: string
let keyFile: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'conclave-at-rest-'))
  directory = join(root, 'store')
  keyFile = join(root, 'key')
})

afterEach(() => rm(root, { recursive: true, force: true }))

async function secrets(): Promise<Record<string, Uint8Array>> {
  const key = await readFile(keyFile)
  return { name: Buffer.from(name), replaced, value, key }
}

function inDatabase<T>(work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(join(directory, 'sessions.db'))
  try {
    return work(database)
  } finally {
    database.close()
  }
}

function sealedValues(): Uint8Array[] {
  const rows = inDatabase((database) => database.prepare('SELECT value FROM entries').all())
  return rows.map((row) => row['value'] as Uint8Array)
}

describe('the files of a session store', () => {
  beforeEach(async () => {
    const store = fileStore({ directory, keyFile })
    await store.write(new Map([[name, replaced]]))
    await store.write(new Map([[name, value]]))
  })

  it('show neither names nor values nor the key', async () => {
    expect(await findInFiles(directory, await secrets())).toEqual([])
  })

  it('would be seen to show what is not encrypted', async () => {
    inDatabase((database) => {
      const insert = database.prepare('INSERT INTO entries VALUES (?, ?, ?)')
      insert.run(Buffer.from(name), Buffer.from(name), value)
    })
    const found = await findInFiles(directory, await secrets())
    expect(new Set(found.map(({ secret }) => secret))).toEqual(new Set(['name', 'value']))
    const beside = await findInFiles(root, await secrets())
    expect(beside.some(({ secret, file }) => secret === 'key' && file === keyFile)).toBe(true)
  })

  it('hold not even the ciphertext of what was replaced or deleted', async () => {
    const [sealed = new Uint8Array()] = sealedValues()
    expect(await findInFiles(directory, { sealed })).not.toEqual([])
    await fileStore({ directory, keyFile }).write(new Map([[name, replaced]]))
    const [resealed = new Uint8Array()] = sealedValues()
    expect(await findInFiles(directory, { sealed })).toEqual([])
    expect(await findInFiles(directory, { resealed })).not.toEqual([])
    await fileStore({ directory, keyFile }).write(new Map([[name, undefined]]))
    expect(await findInFiles(directory, { sealed, resealed })).toEqual([])
  })

  it('would be seen to hold it where deleting does not overwrite', async () => {
    const [sealed = new Uint8Array()] = sealedValues()
    inDatabase((database) => database.exec('PRAGMA secure_delete = OFF; DELETE FROM entries'))
    expect(await findInFiles(directory, { sealed })).not.toEqual([])
  })
})
