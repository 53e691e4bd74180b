import { join } from 'node:path'
import { modernNode } from '../entry/nodeRuntime.mjs'
import { run } from '../entry/processes.mjs'
import { repository } from '../entry/repository.mjs'
import { runMain } from '../entry/setupError.mjs'

/** `npm run sim -- --seed S`: simulates meetings under faults. `--help` names the options. */
await runMain(async () => {
  const main = join(repository, 'infra', 'sim', 'main.ts')
  // Node strips types without being told to from 22.18 on.
  const types = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  const args = ['--conditions=conclave:source', ...types, main, ...process.argv.slice(2)]
  const { code } = await run(modernNode(), args, { cwd: repository })
  return code ?? 1
})
