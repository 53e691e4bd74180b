import { join } from 'node:path'
import { prepare } from './prepare.mjs'
import { run } from './processes.mjs'
import { repository } from './repository.mjs'
import { runMain } from './setupError.mjs'
import { build } from './steps.mjs'

/**
 * `npm run demo`: installs, builds and serves the meeting example until Ctrl-C.
 * `npm run demo -- --help` names the server's options.
 *
 * The npm script starts it with `exec`: a shell in between would report the Ctrl-C that the server
 * has handled as a failure.
 */
await runMain(async () => {
  const prepared = await prepare({ forTests: false })
  await build(prepared)
  const server = join(repository, 'examples', 'meeting', 'dist', 'server.js')
  const guard = join(repository, 'infra', 'entry', 'stopWithParent.mjs')
  const args = ['--import', guard, server, ...process.argv.slice(2)]
  const ended = await run(prepared.node, args, {
    cwd: repository,
    env: prepared.env,
    ownGroup: true,
  })
  // Stopping is how a demo is meant to end, whether or not the server caught the signal.
  const stopped =
    ended.interrupted !== undefined && (ended.code === 0 || ended.signal === ended.interrupted)
  return stopped ? 0 : (ended.code ?? 1)
})
