import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runOrThrow } from './processes.mjs'
import { progress } from './progress.mjs'
import { repository } from './repository.mjs'

const stamp = join(repository, 'node_modules', '.conclave-lock-hash')

/**
 * Installs the locked dependencies, unless that has been done for this package-lock.json.
 *
 * @throws SetupError `command-failed`, `interrupted`
 */
export async function installDependencies() {
  const lock = await readFile(join(repository, 'package-lock.json'))
  const hash = createHash('sha256').update(lock).digest('hex')
  const installed = await readFile(stamp, 'utf8').catch(() => undefined)
  if (installed === hash) return

  await progress('install dependencies (npm ci)', async () => {
    // npm names itself to the scripts that it runs; on a PATH there may be another one.
    const npmScript = process.env['npm_execpath']
    const [command, args] =
      npmScript?.endsWith('npm-cli.js') === true ? [process.execPath, [npmScript]] : ['npm', []]
    // Older Nodes get a page of EBADENGINE warnings; what follows runs on a new enough one.
    await runOrThrow('npm ci', command, [...args, 'ci', '--loglevel=error'], {
      cwd: repository,
      remedy: 'see npm’s message above; a registry must be reachable for the first installation',
    })
    await writeFile(stamp, hash)
  })
}
