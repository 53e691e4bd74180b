import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { repository } from '../entry/repository.mjs'
import type { Arguments } from './arguments.ts'

/** On what something was measured. */
export interface Run {
  readonly machine: {
    readonly platform: string
    readonly cpu: string
    readonly cores: number
    readonly memoryGib: number
  }
  /** With what core did its cryptography. */
  readonly provider: string
  readonly versions: Readonly<Record<string, string>>
  /** With `+` where files differ from it. */
  readonly commit: string
}

const providers: Readonly<Record<Arguments['platform'], string>> = {
  node: 'node:crypto',
  web: 'WebCrypto in Node',
  noble: 'noble',
  chromium: 'WebCrypto in Chromium',
}

const { node, openssl, v8 } = process.versions
const inNode = { node, openssl, v8 }

export function describeRun({
  platform,
  versus,
}: Pick<Arguments, 'platform'> & {
  /** Packages of others that are measured beside. */
  readonly versus: readonly string[]
}): Run {
  const processors = cpus()
  return {
    machine: {
      platform: `${process.platform}-${process.arch}`,
      cpu: processors[0]?.model.trim() ?? 'unknown',
      cores: processors.length,
      memoryGib: Math.round(totalmem() / 2 ** 30),
    },
    provider: providers[platform],
    versions: {
      ...(platform !== 'chromium' && inNode),
      conclave: versionIn(join(repository, 'core')),
      noble: versionIn(join(repository, 'node_modules', '@noble', 'hashes')),
      ...Object.fromEntries(
        versus.map((name) => [name, versionIn(join(repository, 'node_modules', name))]),
      ),
    },
    commit: commit(),
  }
}

function versionIn(folder: string): string {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version
}

/** Where a change may change what is measured. */
const measured = [
  'core/src',
  'client-sdk/src',
  'keyserver/src',
  'infra/bench',
  'infra/servers',
  'infra/load',
]

function commit(): string {
  const git = (...args: readonly string[]) =>
    spawnSync('git', args, { cwd: repository, encoding: 'utf8' }).stdout?.trim() ?? ''
  const changed = git('status', '--porcelain', '--', ...measured) === '' ? '' : '+'
  return (git('rev-parse', '--short', 'HEAD') || 'unknown') + changed
}
