import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { apiDocs } from '../checks/apiDocs.mjs'

const core = { folder: 'core', unexported: [] }
const documented = '/** Says what it is. */\n'

describe('the check of API documentation', () => {
  let root = ''

  /** A checkout whose core has these files. */
  async function checkout(files: Record<string, string>): Promise<void> {
    root = await mkdtemp(join(tmpdir(), 'conclave-docs-'))
    const all = {
      'package.json': JSON.stringify({ name: '@conclave/core', type: 'module' }),
      'tsconfig.json': JSON.stringify({
        compilerOptions: { module: 'NodeNext', types: [], noEmit: true },
        include: ['src'],
      }),
      ...files,
    }
    for (const [path, text] of Object.entries(all)) {
      const whole = join(root, 'core', path)
      await mkdir(dirname(whole), { recursive: true })
      await writeFile(whole, text)
    }
  }

  afterEach(() => rm(root, { recursive: true }))

  it('finds nothing where every export of MLS is explained, and writes the pages', async () => {
    await checkout({
      'src/index.ts': 'export const quiet = 1',
      'src/mls/group/index.ts': [
        `${documented}export function join(): void {}`,
        `${documented}export class Group {\n${documented}leave(): void {} }`,
        `${documented}export interface Codec<T> { value: T }`,
        '/* struct {} Struct; */',
        'export const Struct: Codec<{}> = { value: {} }',
        'export type Struct = {}',
      ].join('\n'),
    })
    const out = join(root, 'pages')
    expect(await apiDocs(root, core, out)).toEqual({ problems: [], entries: 2 })
    expect(await readdir(join(out, 'functions'))).toEqual(['mls_group.join.html'])
  })

  it('finds what is not explained, links that lead nowhere and types that no entry exports', async () => {
    await checkout({
      'src/index.ts': [
        '/** See {@link nothing}. */',
        'export const linking = 1',
        'interface Hidden { field: string }',
        'export const naming = (_: Hidden): void => {}',
      ].join('\n'),
      'src/mls/group/index.ts': [
        'export function aFunction(): void {}',
        'export class AClass {}',
        'export interface AnInterface { field: string }',
        'export type AType = string',
        'export const aConstant = 1',
        `${documented}export class Group { aMethod(): void {} }`,
      ].join('\n'),
    })
    const { problems } = await apiDocs(root, core)
    const silent = ['AClass', 'AType', 'AnInterface', 'Group.aMethod', 'aConstant', 'aFunction']
    expect(problems.toSorted()).toEqual([
      expect.stringMatching(/^Failed to resolve link to "nothing"/),
      expect.stringMatching(/^Hidden, .* not included/),
      ...silent.map((name) => `mls/group.${name} says nothing of itself`),
    ])
  })

  it('reports code that does not compile', async () => {
    await checkout({ 'src/index.ts': 'export const planted: string = 1' })
    const { problems } = await apiDocs(root, core)
    expect(problems.join()).toMatch(/TS2322/)
  })
})
