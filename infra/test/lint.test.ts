import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repository } from '../entry/repository.mjs'

/** One fault a line, with the rule that must find it. */
const faults = [
  ['export const now = Date.now()', 'lint/style/noRestrictedGlobals'],
  ['export const today = new Date()', 'lint/style/noRestrictedGlobals'],
  ['export const elapsed = performance.now()', 'lint/style/noRestrictedGlobals'],
  ['setTimeout(() => {}, 1)', 'lint/style/noRestrictedGlobals'],
  ['globalThis.setInterval(() => {}, 1)', 'lint/style/noRestrictedGlobals'],
  ['export const id = crypto.randomUUID()', 'lint/style/noRestrictedGlobals'],
  ['export const home = process.env', 'lint/style/noRestrictedGlobals'],
  ["export const page = await fetch('/')", 'lint/style/noRestrictedGlobals'],
  ["export { setTimeout as wait } from 'node:timers/promises'", 'lint/style/noRestrictedImports'],
  ["export { readFileSync } from 'node:fs'", 'lint/style/noRestrictedImports'],
  ["export { randomBytes } from 'node:crypto'", 'lint/style/noRestrictedImports'],
  ['export const chance = Math.random()', 'lint/nursery/noJsRestrictedProperties'],
  ['export const { random } = Math', 'lint/nursery/noJsRestrictedProperties'],
  ["console.log('a key')", 'lint/suspicious/noConsole'],
  ['export const loose = (value: any): unknown => value', 'lint/suspicious/noExplicitAny'],
  ['async function send(): Promise<void> {}', undefined],
  ['send()', 'lint/nursery/noFloatingPromises'],
  ["const name = './codec.ts'", undefined],
  ['export const computed = await import(name)', 'plugin'],
  ["export const literal = await import('./codec.ts')", undefined],
] as const

interface Report {
  diagnostics: { category: string; location: { start: { line: number } } }[]
}

describe('the linter', () => {
  let root = ''

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'conclave-lint-'))
    for (const file of ['biome.jsonc', 'infra/checks/literalImport.grit']) {
      await mkdir(dirname(join(root, file)), { recursive: true })
      await cp(join(repository, file), join(root, file))
    }
  })
  afterAll(() => rm(root, { recursive: true, force: true }))

  async function rulesByLine(file: string): Promise<(string | undefined)[]> {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), faults.map(([line]) => `${line}\n`).join(''))
    const biome = join(repository, 'node_modules', '@biomejs', 'biome', 'bin', 'biome')
    const args = ['lint', '--reporter=json', '--vcs-enabled=false', '--max-diagnostics=none', file]
    const { stdout, status } = spawnSync(process.execPath, [biome, ...args], {
      cwd: root,
      encoding: 'utf8',
    })
    expect(status).toBe(1)
    const { diagnostics } = JSON.parse(stdout) as Report
    return faults.map(
      (_, line) => diagnostics.find(({ location }) => location.start.line === line + 1)?.category,
    )
  }

  it('finds clocks, timers, randomness, crypto and I/O in session code', async () => {
    const expected = faults.map(([, rule]) => rule)
    expect(await rulesByLine('client-sdk/src/session/planted.ts')).toEqual(expected)
    expect(await rulesByLine('core/src/mls/group/planted.ts')).toEqual(expected)
    expect(await rulesByLine('keyserver/src/planted.ts')).toEqual(expected)
  })

  it('leaves the clock to the edge, but never Math.random', async () => {
    const edgeRules = ['lint/style/noRestrictedGlobals', 'lint/style/noRestrictedImports']
    const expected = faults.map(([, rule]) =>
      rule === undefined || edgeRules.includes(rule) ? undefined : rule,
    )
    expect(await rulesByLine('client-sdk/src/edge/planted.ts')).toEqual(expected)
    expect(await rulesByLine('client-sdk/src/node/planted.ts')).toEqual(expected)
    expect(await rulesByLine('keyserver/src/edge/planted.ts')).toEqual(expected)
  })
})
