import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repository } from '../entry/repository.mjs'

const packages = ['core', 'client-sdk', 'keyserver', 'sfu', 'examples/meeting']

describe('the build', () => {
  let root = ''

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'conclave-cycle-'))
    await cp(join(repository, 'tsconfig.json'), join(root, 'tsconfig.json'))
    await writeFile(join(root, 'package.json'), '{ "type": "module" }')
    for (const name of packages) {
      for (const folder of [`${name}/src`, `${name}/test`]) {
        await mkdir(join(root, folder), { recursive: true })
        await writeFile(join(root, folder, 'index.ts'), 'export const name = 1\n')
      }
      for (const project of [name, `${name}/test`]) {
        await cp(join(repository, project, 'tsconfig.json'), join(root, project, 'tsconfig.json'))
      }
    }
    const page = 'examples/meeting/src/page'
    await mkdir(join(root, page))
    await writeFile(join(root, page, 'index.ts'), 'export const name = 1\n')
    await cp(join(repository, page, 'tsconfig.json'), join(root, page, 'tsconfig.json'))
    await symlink(join(repository, 'node_modules'), join(root, 'node_modules'))
  })
  afterAll(() => rm(root, { recursive: true, force: true }))

  function build(): { status: number | null; stdout: string } {
    const tsc = join(repository, 'node_modules', 'typescript', 'bin', 'tsc')
    return spawnSync(process.execPath, [tsc, '-b'], { cwd: root, encoding: 'utf8' })
  }

  it('passes with the packages’ own references, and fails on a cycle between packages', async () => {
    expect(build()).toMatchObject({ status: 0, stdout: '' })

    const cyclic = {
      extends: '../tsconfig.json',
      compilerOptions: { rootDir: 'src', outDir: 'dist' },
      include: ['src'],
      references: [{ path: '../keyserver' }],
    }
    await writeFile(join(root, 'core', 'tsconfig.json'), JSON.stringify(cyclic))
    const { status, stdout } = build()
    expect(status).not.toBe(0)
    expect(stdout).toContain('error TS6202')
  })
})
