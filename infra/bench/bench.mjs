import { join } from 'node:path'
import { modernNode } from '../entry/nodeRuntime.mjs'
import { run } from '../entry/processes.mjs'
import { repository } from '../entry/repository.mjs'
import { runMain } from '../entry/setupError.mjs'

/**
 * `npm run bench -- mls`: measures core's MLS from its sources. `--help` names the options.
 */
await runMain(async () => {
  const main = join(repository, 'infra', 'bench', 'main.ts')
  const args = ['--expose-gc', '--conditions=conclave:source', main, ...process.argv.slice(2)]
  const { code, signal } = await run(modernNode(), args, { cwd: repository })
  return code ?? (signal === null ? 1 : 130)
})
