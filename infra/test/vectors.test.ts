import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

describe('a vector file', () => {
  let folder = ''

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conclave-vectors-'))
    vi.stubEnv('CONCLAVE_VECTORS', folder)
    vi.resetModules()
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
    await rm(folder, { recursive: true, force: true })
  })

  it('is read from the folder that CONCLAVE_VECTORS names', async () => {
    await mkdir(join(folder, 'mls'))
    await writeFile(join(folder, 'mls', 'tree-math.json'), '[1, 2]')
    const { loadVector } = await import('../../core/test/vectors.ts')
    expect(loadVector('mls/tree-math.json')).toEqual([1, 2])
  })

  it('that is missing is an error under continuous integration', async () => {
    vi.stubEnv('CI', 'true')
    const { loadVector } = await import('../../core/test/vectors.ts')
    expect(() => loadVector('mls/tree-math.json')).toThrow(/tree-math.json is missing/)
  })

  it('that is missing elsewhere is skipped, saying how to get it', async () => {
    vi.stubEnv('CI', '')
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const { loadVector } = await import('../../core/test/vectors.ts')
    expect(loadVector('mls/tree-math.json')).toBeUndefined()
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('mls-implementations'))
  })
})
