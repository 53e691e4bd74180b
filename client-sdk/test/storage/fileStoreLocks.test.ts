import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it } from 'vitest'
import { storeDirectories } from './storeDirectories.ts'
import { storeIn } from './storeFiles.ts'

const newDirectory = storeDirectories()
const program = new URL('./lockHolder.ts', import.meta.url).pathname
const children: ChildProcess[] = []

afterEach(async () => {
  await Promise.all(children.splice(0).map(kill))
})

/** A process that takes a lock and stays, and what it says of it. */
async function holder(directory: string, name: string) {
  const args = ['--conditions=conclave:source', '--expose-gc', program, directory, name]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [said] = await once(createInterface(child.stdout), 'line')
  return { child, said: String(said) }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

describe('the locks of a store in files', () => {
  it('are held against other processes, until the holder is killed', async () => {
    const directory = await newDirectory()
    const store = storeIn(directory)
    const { child, said } = await holder(directory, 'a')
    expect(said).toBe('held')
    expect(await store.hold('a')).toBeUndefined()
    await kill(child)
    expect(await store.hold('a')).toBeTypeOf('function')
    expect((await holder(directory, 'a')).said).toBe('taken')
  })

  it('go to one of the processes that take one at once, and to each once it is released', async () => {
    const directory = await newDirectory()
    const release = await storeIn(directory).hold('a')
    expect((await holder(directory, 'a')).said).toBe('taken')
    release?.()
    const all = await Promise.all([1, 2, 3].map(() => holder(directory, 'a')))
    expect(all.map(({ said }) => said).toSorted()).toEqual(['held', 'taken', 'taken'])
  })

  it('stay held while other stores of the directory come and go', async () => {
    const directory = await newDirectory()
    await storeIn(directory).hold('a')
    for (let i = 0; i < 3; i++) expect(await storeIn(directory).hold('a')).toBeUndefined()
    expect((await holder(directory, 'a')).said).toBe('taken')
  })

  it('are of a name that the directory does not tell, in files for their owner alone', async () => {
    const [directory, other] = [await newDirectory(), await newDirectory()]
    const names = Array.from({ length: 40 }, (_, i) => `slot/standup/${i}`)
    for (const each of [directory, other]) {
      const store = storeIn(each)
      for (const name of names) (await store.hold(name))?.()
    }
    const files = await readdir(join(directory, 'locks'))
    expect(files.length).toBeGreaterThan(32)
    for (const file of files) {
      expect(file).toMatch(/^[0-9a-f]{3}$/)
      expect((await stat(join(directory, 'locks', file))).size).toBe(0)
    }
    expect((await stat(join(directory, 'locks'))).mode & 0o777).toBe(0o700)
    // What the same names come to under another key has nothing to do with it.
    const elsewhere = new Set(await readdir(join(other, 'locks')))
    expect(files.filter((file) => elsewhere.has(file)).length).toBeLessThan(10)
  })

  it('are unavailable where there can be no files for them, and there once there can', async () => {
    const directory = await newDirectory()
    const path = join(directory, 'locks')
    const store = storeIn(directory)
    await writeFile(path, '')
    const unavailable = { code: 'store-unavailable', remedy: expect.any(String) }
    await expect(store.hold('a')).rejects.toMatchObject(unavailable)
    await rm(path)
    expect(await store.hold('a')).toBeTypeOf('function')
  })

  it('are recognised as damaged where something else is in their files', async () => {
    const directory = await newDirectory()
    const store = storeIn(directory)
    const release = await store.hold('a')
    release?.()
    const [file = ''] = await readdir(join(directory, 'locks'))
    await writeFile(join(directory, 'locks', file), 'something else '.repeat(100))
    await expect(store.hold('a')).rejects.toMatchObject({ code: 'store-corrupted' })
    await rm(join(directory, 'locks', file))
    expect(await store.hold('a')).toBeTypeOf('function')
  })
})
