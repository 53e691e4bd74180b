import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { repository } from '../entry/repository.mjs'
import { tests } from '../entry/steps.mjs'
import { closingLine } from '../entry/testCounts.mjs'

describe('the closing counts', () => {
  let root = ''

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'conclave-counts-'))
    await symlink(join(repository, 'node_modules'), join(root, 'node_modules'))
    await writeFile(join(root, 'vitest.config.mjs'), 'export default {}')
    await mkdir(join(root, 'test'))
  })
  afterEach(() => rm(root, { recursive: true, force: true }))

  async function outcome(files: Record<string, string>): Promise<[string, boolean]> {
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(root, 'test', name), `import { it } from 'vitest'\n${text}`)
    }
    const prepared = { node: process.execPath, env: withoutVitest() }
    const { succeeded, ...counts } = await tests(prepared, ['--root', root], () => {})
    return [closingLine(counts), succeeded]
  }

  it('add up every test, and a file that does not load is a failure', async () => {
    const files = {
      'a.test.js': "it('one', () => {})\nit('two', () => {})\nit.skip('three', () => {})",
      'b.test.js': "it('four', () => { throw new Error('four') })\nit.todo('five')",
      'c.test.js': "import './absent.js'",
    }
    expect(await outcome(files)).toEqual(['2 passed, 2 failed, 2 skipped', false])
  })

  it('are a success when all tests passed', async () => {
    const files = { 'a.test.js': "it('one', () => {})\nit.skip('two', () => {})" }
    expect(await outcome(files)).toEqual(['1 passed, 0 failed, 1 skipped', true])
  })

  it('are not a success when no test ran', async () => {
    expect(await outcome({ 'a.test.js': "it.skip('one', () => {})" })).toEqual([
      '0 passed, 0 failed, 1 skipped',
      false,
    ])
    await rm(join(root, 'test', 'a.test.js'))
    expect(await outcome({})).toEqual(['0 passed, 1 failed, 0 skipped', false])
  })

  it('are not a success when an error escapes the tests', async () => {
    const files = {
      'a.test.js':
        "it('one', () => { setTimeout(() => { throw new Error('late') }); return new Promise((end) => setTimeout(end, 200)) })",
    }
    expect(await outcome(files)).toEqual(['1 passed, 1 failed, 0 skipped', false])
  })
})

/** The inner Vitest must not take itself for a worker of the outer one. */
function withoutVitest(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|TINYPOOL)/.test(name)),
  )
}
