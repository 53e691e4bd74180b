import { copyFile, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { SessionStore } from '../../src/index.ts'
import { bytes, changes } from './contract.ts'
import { storeDirectories } from './storeDirectories.ts'
import { databaseFile, keyFile, storeIn } from './storeFiles.ts'

const newDirectory = storeDirectories()

const content = changes({
  'device-key': new Uint8Array(32).fill(1),
  'incarnation/00/1': bytes(0, 0, 0, 1),
  'meeting/state': new Uint8Array(9_000).fill(2),
})

let directory: string
let path: string

beforeEach(async () => {
  directory = await newDirectory()
  path = join(directory, databaseFile)
  await storeIn(directory).write(content)
})

/** Everything that the store says, or the code it fails with. */
async function told(store: SessionStore): Promise<unknown> {
  try {
    const keys = await store.keys('')
    const entries = [...new Set([...content.keys(), ...keys])].map(
      async (key) => [key, await store.read(key)] as const,
    )
    return new Map(await Promise.all(entries))
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

function inDatabase(work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path)
  try {
    work(database)
  } finally {
    database.close()
  }
}

describe('a damaged store in files', () => {
  it('is recognised wherever its file was cut off', async () => {
    const { length } = await readFile(path)
    const whole = await readFile(path)
    const places = [length - 1, length - 4_096, 8_192, 5_000, 4_096, 512, 100, 15, 1, 0]
    for (const place of places) {
      await writeFile(path, whole)
      await truncate(path, place)
      expect(await told(storeIn(directory)), `cut at ${place}`).toBe('store-corrupted')
    }
  })

  it('tells the truth or says that it is damaged, whichever bit has changed', async () => {
    const whole = await readFile(path)
    const place = fc.record({ at: fc.nat({ max: whole.length - 1 }), bit: fc.nat({ max: 7 }) })
    const flips = fc.asyncProperty(place, async ({ at, bit }) => {
      const changed = Buffer.from(whole)
      changed[at] = (changed[at] as number) ^ (1 << bit)
      await writeFile(path, changed)
      const answer = await told(storeIn(directory))
      if (answer !== 'store-corrupted') expect(answer).toEqual(content)
    })
    await fc.assert(flips, {
      numRuns: 150,
      // The header, the schema, and where entries begin.
      examples: Array.from({ length: 100 }, (_, at) => [{ at, bit: at % 8 }]),
      interruptAfterTimeLimit: 20_000,
    })
  })

  it('does not take one entry’s value for another’s', async () => {
    inDatabase((database) => {
      const rows = database.prepare('SELECT id, value FROM entries').all()
      const [one, other] = rows
      const update = database.prepare('UPDATE entries SET value = ? WHERE id = ?')
      update.run(one?.['value'] ?? null, other?.['id'] ?? null)
    })
    expect(await told(storeIn(directory))).toBe('store-corrupted')
  })

  it('does not take one entry’s name for another’s', async () => {
    inDatabase((database) => {
      const [one, other] = database.prepare('SELECT id, name FROM entries').all()
      const update = database.prepare('UPDATE entries SET name = ? WHERE id = ?')
      update.run(one?.['name'] ?? null, other?.['id'] ?? null)
    })
    await expect(storeIn(directory).read('device-key')).rejects.toMatchObject({
      code: 'store-corrupted',
    })
  })

  it('does not take an entry of another store', async () => {
    const other = await newDirectory()
    await storeIn(other).write(content)
    await copyFile(join(other, databaseFile), path)
    expect(await told(storeIn(directory))).toBe('store-corrupted')
    await copyFile(join(other, keyFile), join(directory, keyFile))
    expect(await told(storeIn(directory))).toEqual(content)
  })

  it('is no store of ours where the database is another’s', async () => {
    inDatabase((database) => database.exec('DROP TABLE key_check'))
    expect(await told(storeIn(directory))).toBe('store-corrupted')
  })
})
