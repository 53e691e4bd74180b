import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { run, runOrThrow, throwIfInterrupted } from './processes.mjs'
import { progress } from './progress.mjs'
import { SetupError } from './setupError.mjs'

/**
 * Which of these Debian packages are not installed. Undefined where there is no dpkg to ask.
 *
 * @param {readonly string[]} names
 * @returns {string[] | undefined}
 */
export function missingPackages(names) {
  const { error, stdout } = spawnSync(
    'dpkg-query',
    ['--show', '--showformat', '${Package} ${db:Status-Status}\\n', ...names],
    { encoding: 'utf8' },
  )
  if (error !== undefined) return undefined
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  )
  return names.filter((name) => !installed.has(name))
}

/**
 * Installs Debian packages as root on Debian, saying so; names the one command elsewhere.
 *
 * @param {string} purpose completes "… is needed for"
 * @param {readonly string[]} names
 * @throws SetupError `system-packages-missing`, `command-failed`, `interrupted`
 */
export async function installPackages(purpose, names) {
  if (names.length === 0) return
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...names]
  const isRoot = process.getuid?.() === 0
  if (!isRoot || !isDebian()) {
    throw new SetupError('system-packages-missing', `${purpose} needs ${names.join(', ')}`, {
      remedy: isDebian('derivatives too')
        ? `sudo sh -c 'apt-get update && ${install.join(' ')}'`
        : `install what your system calls Debian's ${names.join(', ')}`,
    })
  }
  await progress(`as root on Debian: ${install.join(' ')}  (for ${purpose})`, async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const onLine = () => {}
    // Without the network the lists that are there may still do.
    throwIfInterrupted(await run('apt-get', ['update', '-qq'], { env, onLine }))
    await runOrThrow('apt-get install', 'apt-get', ['-qq', ...install.slice(1)], {
      env: { ...env, DEBCONF_NOWARNINGS: 'yes' },
      remedy: `run it by hand to see why: apt-get update && ${install.join(' ')}`,
    })
  })
}

/** @param {'derivatives too'} [scope] */
function isDebian(scope) {
  let release = ''
  try {
    release = readFileSync('/etc/os-release', 'utf8')
  } catch {
    return false
  }
  const field = (/** @type {string} */ name) =>
    new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(release)?.[1] ?? ''
  if (field('ID') === 'debian') return true
  return scope !== undefined && field('ID_LIKE').split(' ').includes('debian')
}
