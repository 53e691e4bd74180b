import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { toHex } from '@conclave/core/codec'
import { describe, expect, it } from 'vitest'
import { fileStore } from '../../src/node/index.ts'
import { bytes, changes, holdsTheContract } from './contract.ts'
import { storeDirectories } from './storeDirectories.ts'
import { databaseFile, keyFile, storeIn } from './storeFiles.ts'

const newDirectory = storeDirectories()

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8)
}

describe('the store in files', () => {
  holdsTheContract({
    medium: async () => {
      const directory = await newDirectory()
      return { open: () => storeIn(directory) }
    },
    runs: 40,
  })

  it('is one for all that open it at the same time', async () => {
    const directory = await newDirectory()
    const stores = Array.from({ length: 5 }, () => storeIn(directory))
    await Promise.all(stores.map((store, i) => store.write(changes({ [`of/${i}`]: bytes(i) }))))
    for (const store of stores) {
      expect(await store.keys('of/')).toHaveLength(5)
      expect(await store.read('of/3')).toEqual(bytes(3))
    }
  })

  it('is one for processes that use it for the first time at once', async () => {
    const directory = join(await newDirectory(), 'shared')
    const program = new URL('./firstUse.ts', import.meta.url).pathname
    const args = ['--conditions=conclave:source', program, directory]
    const outputs = await Promise.all(
      [1, 2, 3].map(() => promisify(execFile)(process.execPath, args)),
    )
    const values = new Set(outputs.map(({ stdout }) => stdout))
    expect([...values]).toEqual([toHex((await storeIn(directory).read('a')) ?? bytes())])
    expect((await readdir(directory)).toSorted()).toEqual([
      keyFile,
      databaseFile,
      `${databaseFile}-journal`,
    ])
  })

  it('makes its directory, its key and its database for their owner alone', async () => {
    const directory = join(await newDirectory(), 'of', 'alice')
    const store = storeIn(directory)
    await store.write(changes({ a: bytes(1) }))
    expect(await modeOf(directory)).toBe('700')
    expect(await modeOf(join(directory, keyFile))).toBe('600')
    expect(await modeOf(join(directory, databaseFile))).toBe('600')
    expect((await readFile(join(directory, keyFile))).length).toBe(32)
  })

  it('takes a key that the application keeps', async () => {
    const directory = await newDirectory()
    const key = Uint8Array.from(randomBytes(32))
    const copy = key.slice()
    const store = fileStore({ directory, key: copy })
    copy.fill(0)
    await store.write(changes({ a: bytes(1) }))
    expect(await fileStore({ directory, key }).read('a')).toEqual(bytes(1))
    expect(() => fileStore({ directory, key: key.slice(1) })).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    )
  })

  it('refuses a key that is not the one it was written with, and changes nothing', async () => {
    const directory = await newDirectory()
    await storeIn(directory).write(changes({ a: bytes(1) }))
    const key = Uint8Array.from(randomBytes(32))
    const foreign = fileStore({ directory, key })
    const refused = { code: 'store-corrupted', remedy: expect.any(String) }
    await expect(foreign.read('a')).rejects.toMatchObject(refused)
    await expect(foreign.keys('')).rejects.toMatchObject(refused)
    await expect(foreign.write(changes({ a: bytes(2) }))).rejects.toMatchObject(refused)
    expect(await storeIn(directory).read('a')).toEqual(bytes(1))
  })

  it('makes no new key where the old one is gone or cut short', async () => {
    const directory = await newDirectory()
    const store = storeIn(directory)
    await store.write(changes({ a: bytes(1) }))
    const path = join(directory, keyFile)
    const key = await readFile(path)
    await writeFile(path, key.subarray(0, 31))
    await expect(storeIn(directory).read('a')).rejects.toMatchObject({ code: 'store-corrupted' })
    await rm(path)
    await expect(storeIn(directory).read('a')).rejects.toMatchObject({ code: 'store-corrupted' })
    await writeFile(path, key)
    expect(await storeIn(directory).read('a')).toEqual(bytes(1))
  })

  it('says that it is unavailable where there can be no directory, and works once there can', async () => {
    const parent = join(await newDirectory(), 'file')
    await writeFile(parent, '')
    const store = storeIn(join(parent, 'store'))
    const unavailable = { code: 'store-unavailable', remedy: expect.any(String) }
    await expect(store.write(changes({ a: bytes(1) }))).rejects.toMatchObject(unavailable)
    await expect(store.read('a')).rejects.toMatchObject(unavailable)
    await rm(parent)
    expect(await store.read('a')).toBeUndefined()
    await store.write(changes({ a: bytes(1) }))
    expect(await store.read('a')).toEqual(bytes(1))
  })
})
