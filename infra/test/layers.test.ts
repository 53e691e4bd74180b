import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkLayers, sourceFiles } from '../checks/layers.mjs'
import { repository } from '../entry/repository.mjs'

const workspaces = ['core', 'client-sdk', 'keyserver', 'sfu', 'examples/meeting']

/** A miniature checkout that keeps every rule, under the repository's own rules and manifests. */
const lawful = {
  'core/src/index.ts': "export * from './error.ts'",
  'core/src/error.ts': 'export const error = 1',
  'core/src/codec/index.ts': "export * from '../error.ts'",
  'core/src/wire/index.ts': "export * from '../codec/index.ts'",
  'core/src/crypto/secret/index.ts': "export * from './sign.ts'\nexport * from './hpke.ts'",
  'core/src/crypto/secret/sign.ts': "export const sign = 1\nimport '@noble/curves/ed25519.js'",
  'core/src/crypto/secret/hpke.ts': 'export const hpke = 1',
  'core/src/mls/public/index.ts': "export * from '../../wire/index.ts'",
  'core/src/mls/treekem/index.ts': "export * from '../../crypto/secret/hpke.ts'",
  'core/src/mls/treedem/index.ts': 'export const treedem = 1',
  'core/src/mls/group/index.ts': "export * from '../treekem/index.ts'",
  'core/src/delivery/index.ts': "export * from '../codec/index.ts'",
  'core/src/sframe/index.ts': "export * from '../codec/index.ts'",
  'core/src/sframe/node/index.ts': "export * from 'node:crypto'\nexport * from '../index.ts'",
  'client-sdk/src/index.ts': "export * from '@conclave/core'",
  'client-sdk/src/node/index.ts': "export * from 'node:fs'\nexport * from '../index.ts'",
  'keyserver/src/index.ts': "export * from '@conclave/core/mls/public'\nimport './log.ts'",
  'keyserver/src/log.ts': 'export const log = 1',
  'sfu/src/index.ts': "export * from '@conclave/core/delivery'",
  'examples/meeting/src/server.ts': "import '@conclave/keyserver'\nimport '@conclave/sfu'",
}

/** Each breaks one rule; the key is what the check must say. */
const planted = {
  'core-mls-treekem: core/src/mls/treekem/planted.ts → core/src/mls/treedem/index.ts': [
    'core/src/mls/treekem/planted.ts',
    "export * from '../treedem/index.ts'",
  ],
  'core-sframe: core/src/sframe/planted.ts → core/src/mls/group/index.ts': [
    'core/src/sframe/planted.ts',
    "export const planted = () => import('../mls/group/index.ts')",
  ],
  'core-codec: core/src/codec/planted.ts → core/src/wire/index.ts': [
    'core/src/codec/planted.ts',
    "import type * as wire from '../wire/index.ts'\nexport type Wire = typeof wire",
  ],
  'core-no-io: core/src/wire/planted.ts → fs': [
    'core/src/wire/planted.ts',
    "export * from 'node:fs'",
  ],
  'core-node-apart: core/src/sframe/bare.ts → crypto': [
    'core/src/sframe/bare.ts',
    "export * from 'node:crypto'",
  ],
  'core-node-unreached: core/src/sframe/fast.ts → core/src/sframe/node/index.ts': [
    'core/src/sframe/fast.ts',
    "export const fast = () => import('./node/index.ts')",
  ],
  'core-unknown-layer: core/src/helpers/planted.ts → core/src/error.ts': [
    'core/src/helpers/planted.ts',
    "export * from '../error.ts'",
  ],
  'core-imports-no-package: core/src/delivery/planted.ts → sfu/src/index.ts': [
    'core/src/delivery/planted.ts',
    "export * from '@conclave/sfu'",
  ],
  'client-imports-core-only: client-sdk/src/planted.ts → keyserver/src/index.ts': [
    'client-sdk/src/planted.ts',
    "export * from '@conclave/keyserver'",
  ],
  'client-node-apart: client-sdk/src/session/planted.ts → fs': [
    'client-sdk/src/session/planted.ts',
    "export * from 'node:fs'",
  ],
  'client-node-unreached: client-sdk/src/edge/planted.ts → client-sdk/src/node/index.ts': [
    'client-sdk/src/edge/planted.ts',
    "export const planted = () => import('../node/index.ts')",
  ],
  'sfu-imports-core-only: sfu/src/planted.ts → client-sdk/src/index.ts': [
    'sfu/src/planted.ts',
    "export const planted = () => import('@conclave/client')",
  ],
  'keyserver-one-signer: keyserver/src/planted.ts → core/src/crypto/secret/sign.ts': [
    'keyserver/src/planted.ts',
    "export * from '../../core/src/crypto/secret/sign.ts'",
  ],
  'sfu-reaches-no-secrets: sfu/src/relay.ts → core/src/mls/public/leak.ts → core/src/crypto/secret/hpke.ts':
    ['sfu/src/relay.ts', "export * from '../../core/src/mls/public/leak.ts'"],
  'keyserver-reaches-no-secrets: keyserver/src/follow.ts → core/src/mls/public/leak.ts → core/src/crypto/secret/hpke.ts':
    ['keyserver/src/follow.ts', "export * from '../../core/src/mls/public/leak.ts'"],
  'core-mls-public: core/src/mls/public/leak.ts → core/src/crypto/secret/hpke.ts': [
    'core/src/mls/public/leak.ts',
    "export * from '../../crypto/secret/hpke.ts'",
  ],
  'core-root-reaches-no-secrets: core/src/index.ts → core/src/crypto/secret/sign.ts': [
    'core/src/index.ts',
    "export * from './crypto/secret/sign.ts'",
  ],
  'no-cycles: keyserver/src/oneWay.ts → keyserver/src/otherWay.ts → keyserver/src/oneWay.ts': [
    'keyserver/src/oneWay.ts',
    "export * from './otherWay.ts'",
  ],
  'no-unresolved-import: keyserver/src/otherWay.ts → ./absent.ts': [
    'keyserver/src/otherWay.ts',
    "export * from './oneWay.ts'\nexport * from './absent.ts'",
  ],
  'no-undeclared-package: keyserver/src/bundled.ts → node_modules/undeclared/index.js': [
    'keyserver/src/bundled.ts',
    "export * from 'undeclared'",
  ],
  // What the check's own configuration leaves out is still counted.
  'not looked at: core/src/dist/planted.ts': [
    'core/src/dist/planted.ts',
    "export * from '../error.ts'",
  ],
} as const

describe('the layer check', () => {
  let root = ''

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'conclave-layers-'))
    const manifests = workspaces.map((workspace) => `${workspace}/package.json`)
    for (const file of ['package.json', '.dependency-cruiser.mjs', ...manifests]) {
      await cp(join(repository, file), join(root, file))
    }
    for (const [file, text] of Object.entries(lawful)) await write(file, text)
    await link('@conclave/core', join(root, 'core'))
    await link('@conclave/client', join(root, 'client-sdk'))
    await link('@conclave/keyserver', join(root, 'keyserver'))
    await link('@conclave/sfu', join(root, 'sfu'))
    await link('@noble/curves', installed('@noble/curves'))
    await write('node_modules/undeclared/package.json', '{ "name": "undeclared" }')
    await write('node_modules/undeclared/index.js', 'exports.undeclared = 1')
  })
  afterAll(() => rm(root, { recursive: true, force: true }))

  async function write(file: string, text: string): Promise<void> {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), `${text}\n`)
  }

  async function link(name: string, target: string): Promise<void> {
    const path = join(root, 'node_modules', name)
    await mkdir(dirname(path), { recursive: true })
    await symlink(target, path)
  }

  /** Where npm has put one of core's dependencies: with core, or above it for all. */
  function installed(name: string): string {
    const places = [join(repository, 'core'), repository]
    const [found] = places.map((place) => join(place, 'node_modules', name)).filter(existsSync)
    if (found === undefined) throw new Error(`${name} is not installed`)
    return found
  }

  function runCheck(): number | null {
    const script = join(repository, 'infra', 'checks', 'layers.mjs')
    return spawnSync(process.execPath, [script, root]).status
  }

  it('passes a tree that keeps the rules, and has looked at all of it', async () => {
    expect(await checkLayers(root)).toEqual({ problems: [], files: Object.keys(lawful).length })
    expect(runCheck()).toBe(0)
  })

  it('lets the keyserver’s signer, and only it, reach the signing module', async () => {
    const signer = 'keyserver/src/removalSigner.ts'
    await write(signer, "export * from '../../core/src/crypto/secret/sign.ts'")
    expect((await checkLayers(root)).problems).toEqual([])
    await write(signer, "export * from '../../core/src/crypto/secret/hpke.ts'")
    expect((await checkLayers(root)).problems).toEqual([
      `keyserver-reaches-no-secrets: ${signer} → core/src/crypto/secret/hpke.ts`,
    ])
    await rm(join(root, signer))
  })

  describe('with forbidden imports planted', () => {
    let problems: string[] = []

    beforeAll(async () => {
      for (const [file, text] of Object.values(planted)) await write(file, text)
      problems = (await checkLayers(root)).problems
    })

    it.each(Object.keys(planted))('reports %s', (expected) => {
      expect(problems).toContain(expected)
    })

    it('fails', () => {
      expect(runCheck()).toBe(1)
    })
  })
})

describe('the repository', () => {
  it('has source files in every package for the layer check to look at', () => {
    for (const workspace of workspaces) {
      expect(sourceFiles(repository).some((file) => file.startsWith(`${workspace}/src/`))).toBe(
        true,
      )
    }
  })
})
