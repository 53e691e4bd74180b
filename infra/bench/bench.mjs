import { join } from 'node:path'
import { modernNode } from '../entry/nodeRuntime.mjs'
import { run } from '../entry/processes.mjs'
import { repository } from '../entry/repository.mjs'
import { runMain } from '../entry/setupError.mjs'

/**
 * `npm run bench -- mls`, `-- keyserver`, `-- sframe`: measures core's MLS, a keyserver or frame
 * encryption from the sources. `--help` names the options.
 */
await runMain(async () => {
  const main = join(repository, 'infra', 'bench', 'main.ts')
  // Node strips types without being told to from 22.18 on.
  const options = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  const conditions = ['--expose-gc', '--conditions=conclave:source']
  const args = [...conditions, ...options, main, ...process.argv.slice(2)]
  const { code } = await run(modernNode(), args, { cwd: repository })
  return code ?? 1
})
