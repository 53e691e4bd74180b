import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { repository } from '../entry/repository.mjs'

/** On what something was measured. */
export interface Run {
  readonly machine: {
    readonly platform: string
    readonly cpu: string
    readonly cores: number
    readonly memoryGib: number
  }
  readonly versions: Readonly<Record<string, string>>
  /** With `+` where files differ from it. */
  readonly commit: string
}

export function describeRun(): Run {
  const processors = cpus()
  return {
    machine: {
      platform: `${process.platform}-${process.arch}`,
      cpu: processors[0]?.model.trim() ?? 'unknown',
      cores: processors.length,
      memoryGib: Math.round(totalmem() / 2 ** 30),
    },
    versions: {
      node: process.versions.node,
      openssl: process.versions.openssl,
      v8: process.versions.v8,
      conclave: versionIn(join(repository, 'core')),
      'ts-mls': versionIn(join(repository, 'node_modules', 'ts-mls')),
    },
    commit: commit(),
  }
}

function versionIn(folder: string): string {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version
}

function commit(): string {
  const git = (...args: readonly string[]) =>
    spawnSync('git', args, { cwd: repository, encoding: 'utf8' }).stdout?.trim() ?? ''
  const changed = git('status', '--porcelain', '--', 'core/src', 'infra/bench') === '' ? '' : '+'
  return (git('rev-parse', '--short', 'HEAD') || 'unknown') + changed
}
