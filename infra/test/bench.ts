import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { repository } from '../entry/repository.mjs'

/** `npm run bench -- …` */
export function bench(args: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  const script = join(repository, 'infra', 'bench', 'bench.mjs')
  const { NODE_OPTIONS: _, ...inherited } = process.env
  const env = { ...inherited, ...variables }
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env })
}
