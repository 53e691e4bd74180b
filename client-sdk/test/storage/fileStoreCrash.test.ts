import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { roundChanges, roundsIn } from './rounds.ts'
import { storeDirectories } from './storeDirectories.ts'
import { databaseFile, keyFile, storeIn } from './storeFiles.ts'

const newDirectory = storeDirectories()
const program = new URL('./roundWriter.ts', import.meta.url).pathname

/** Kills a process that writes, at a moment of its own for each seed; returns the last round it said. */
async function killWriter(
  directory: string,
  mode: 'whole' | 'torn',
  seed: number,
): Promise<number> {
  const args = ['--conditions=conclave:source', program, directory, mode]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let said = 0
  let lines = 0
  let lastAt = 0
  for await (const line of createInterface(child.stdout)) {
    said = Number(line)
    lines += 1
    const now = performance.now()
    // Anywhere in the round that has begun, if it takes as long as the one before.
    const share = (seed * 0.37) % 1
    if (lines === 2 + (seed % 3)) setTimeout(() => child.kill('SIGKILL'), share * (now - lastAt))
    lastAt = now
  }
  const [, signal] = await exited
  expect(signal).toBe('SIGKILL')
  return said
}

describe('a store in files whose process is killed', () => {
  it('holds the last write that it confirmed, or the one after, and no half of any', async () => {
    const directory = await newDirectory()
    for (let seed = 1; seed <= 6; seed++) {
      const said = await killWriter(directory, 'whole', seed)
      const [round, ...others] = await roundsIn(storeIn(directory))
      expect(others, `seed ${seed}`).toEqual([])
      expect([said, said + 1], `seed ${seed}`).toContain(round)
    }
  })

  it('is found out where changes are written one by one', async () => {
    const directory = await newDirectory()
    let found = false
    for (let seed = 1; seed <= 20 && !found; seed++) {
      await killWriter(directory, 'torn', seed)
      found = (await roundsIn(storeIn(directory))).length > 1
    }
    expect(found).toBe(true)
  })

  /** The files as a power failure leaves them while pages of a transaction are being written. */
  async function midTransaction(files: readonly string[]): Promise<string> {
    const directory = await newDirectory()
    await storeIn(directory).write(roundChanges(1))
    const database = new DatabaseSync(join(directory, databaseFile))
    // Pages go to the file before the commit.
    database.exec('PRAGMA journal_mode = TRUNCATE; PRAGMA cache_size = 1; BEGIN IMMEDIATE')
    database.exec('UPDATE entries SET value = zeroblob(30000)')
    const left = await newDirectory()
    for (const file of files) await copyFile(join(directory, file), join(left, file))
    database.exec('ROLLBACK')
    database.close()
    return left
  }

  it('holds the old state where it was cut off in the middle of a commit', async () => {
    const files = [keyFile, databaseFile, `${databaseFile}-journal`]
    expect(await roundsIn(storeIn(await midTransaction(files)))).toEqual([1])
  })

  it('owes that to the journal', async () => {
    const left = await midTransaction([keyFile, databaseFile])
    await expect(roundsIn(storeIn(left))).rejects.toMatchObject({ code: 'store-corrupted' })
  })
})
