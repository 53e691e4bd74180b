import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { repository } from '../entry/repository.mjs'
import { SetupError } from '../entry/setupError.mjs'
import { recipeHash } from './recipe.mjs'

/** @typedef {'prebuilt' | 'built'} Origin */

/**
 * Where the installed mediasoup package is, and its version.
 *
 * @throws SetupError `mediasoup-not-installed`
 */
export function installedMediasoup() {
  for (const folder of ['sfu/node_modules/mediasoup', 'node_modules/mediasoup']) {
    const path = join(repository, folder)
    try {
      const { version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
      return { path, version: String(version) }
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
  throw new SetupError('mediasoup-not-installed', 'the package mediasoup is not installed', {
    remedy: 'npm ci',
  })
}

/**
 * The worker that an earlier run has left in the user's cache, if it still runs here: a worker
 * built against system libraries stops when the system is upgraded under it.
 *
 * @returns {string | undefined} path of the executable
 */
export function cachedWorker() {
  return [cachePath('prebuilt'), cachePath('built')].find(isUsableWorker)
}

/**
 * Puts an executable into the user's cache, in one step, so that nobody sees half of it.
 *
 * @param {Origin} origin
 * @param {string} executable
 * @returns {string} path of the cached executable
 */
export function addToCache(origin, executable) {
  const path = cachePath(origin)
  mkdirSync(dirname(path), { recursive: true })
  const incoming = `${path}.${process.pid}`
  copyFileSync(executable, incoming)
  chmodSync(incoming, 0o755)
  renameSync(incoming, path)
  return path
}

/**
 * Whether this is a worker that the dynamic linker can start: without MEDIASOUP_VERSION a worker
 * ends with status 41 (its main.cpp).
 *
 * @param {string} executable
 */
export function isUsableWorker(executable) {
  return spawnSync(executable, [], { env: {}, stdio: 'ignore', timeout: 10_000 }).status === 41
}

/** @param {Origin} origin */
function cachePath(origin) {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const { version } = installedMediasoup()
  const folder = `${version}-${process.platform}-${process.arch}`
  // A worker of an older recipe is not what this checkout would build.
  const name = origin === 'prebuilt' ? folder : `${folder}-system-libraries-${recipeHash()}`
  return join(cache, 'conclave', 'mediasoup-worker', name, 'mediasoup-worker')
}

/** @param {unknown} error */
function isNotFound(error) {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
