import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { installPackages, missingPackages } from '../entry/debianPackages.mjs'
import { isNewEnough } from '../entry/nodeRuntime.mjs'
import { findProgram } from '../entry/programs.mjs'

describe('system packages', () => {
  let folder = ''

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conclave-packages-'))
    vi.stubEnv('PATH', folder)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
    await rm(folder, { recursive: true, force: true })
  })

  async function program(name: string, script: string): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, `#!/bin/sh\n${script}\n`)
    await chmod(path, 0o755)
    return path
  }

  it('that were removed or never installed are missing', async () => {
    // What dpkg-query prints for an installed, a removed and an unknown package.
    await program(
      'dpkg-query',
      "echo 'meson installed'; echo 'libuv1-dev config-files'; echo 'no packages found' >&2; exit 1",
    )
    expect(missingPackages(['meson', 'libuv1-dev', 'g++'])).toEqual(['libuv1-dev', 'g++'])
  })

  it('are unknown without dpkg', () => {
    expect(missingPackages(['meson'])).toBeUndefined()
  })

  it('are named with the one command for who may not install them', async () => {
    vi.spyOn(process, 'getuid').mockReturnValue(1000)
    await expect(installPackages('testing', ['chromium', 'redis-server'])).rejects.toMatchObject({
      code: 'system-packages-missing',
      message: 'testing needs chromium, redis-server',
      remedy: expect.stringMatching(/chromium.*redis-server/),
    })
  })

  it('are left alone when nothing is missing', async () => {
    await expect(installPackages('testing', [])).resolves.toBeUndefined()
  })

  it('bring programs that are found by any of their names, or where a variable says', async () => {
    const sought = { names: ['first', 'second'], variable: 'SOUGHT_BIN', debianPackage: 'sought' }
    expect(findProgram(sought)).toBeUndefined()
    const second = await program('second', 'exit 0')
    expect(findProgram(sought)).toBe(second)
    vi.stubEnv('SOUGHT_BIN', join(folder, 'elsewhere'))
    expect(findProgram(sought)).toBeUndefined()
    const elsewhere = await program('elsewhere', 'exit 0')
    expect(findProgram(sought)).toBe(elsewhere)
  })
})

describe('the Node that the steps run on', () => {
  it('is 22.12 or newer', () => {
    expect(['v20.20.2', 'v22.11.9'].map(isNewEnough)).toEqual([false, false])
    expect(['v22.12.0', 'v24.0.0'].map(isNewEnough)).toEqual([true, true])
  })
})
