import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleSize, sizeProblems } from '../checks/coreSize.mjs'

describe('the size of core in browsers', () => {
  let folder = ''
  /** Writes a module and measures it. */
  const sizeOf = async (name: string, code: string) => {
    const path = join(folder, name)
    await writeFile(path, code)
    return bundleSize({ measured: path })
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conclave-size-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('counts every export and what it reaches, heaviest first', async () => {
    const text = randomBytes(20_000).toString('base64')
    await writeFile(join(folder, 'heavy.ts'), `export const heavy = '${text}'`)
    const { gzippedBytes, minifiedBytes, files } = await sizeOf(
      'light.ts',
      "import { heavy } from './heavy.ts'\nexport const unused = () => heavy\nexport const light = 1",
    )
    expect(minifiedBytes).toBeGreaterThan(text.length)
    expect(gzippedBytes).toBeGreaterThan(20_000)
    expect(gzippedBytes).toBeLessThan(minifiedBytes)
    expect(files.map(({ file }) => file.replace(/.*\//, ''))).toEqual(['heavy.ts', 'light.ts'])
  })

  it('leaves out the libraries that do the cryptography', async () => {
    const size = await sizeOf('noble.ts', "export { sha256 } from '@noble/hashes/sha2.js'")
    expect(size.gzippedBytes).toBeLessThan(1000)
    expect(sizeProblems(size, 1000)).toEqual([])
  })

  it('beyond the goal is a problem, exactly', async () => {
    const size = await sizeOf('small.ts', 'export const small = 1')
    expect(sizeProblems(size, size.gzippedBytes)).toEqual([])
    expect(sizeProblems(size, size.gzippedBytes - 1)).toEqual([
      expect.stringContaining('above the goal'),
    ])
  })

  it('refuses what only Node has', async () => {
    const size = await sizeOf('node.ts', "export { hash } from 'node:crypto'")
    expect(sizeProblems(size, 1000)).toEqual(['browsers have no node:crypto'])
  })
})
