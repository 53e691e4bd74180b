import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * A program that tests start: its possible names, the variable that may name it instead, and the
 * Debian package that has it.
 *
 * @typedef {{ names: readonly string[], variable: string, debianPackage: string }} Program
 */

/** @type {Program} */
export const chromium = {
  names: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
  variable: 'CHROMIUM_BIN',
  debianPackage: 'chromium',
}

/** @type {Program} */
export const firefox = {
  names: ['firefox-esr', 'firefox'],
  variable: 'FIREFOX_BIN',
  debianPackage: 'firefox-esr',
}

/** @type {Program} */
export const redisServer = {
  names: ['redis-server'],
  variable: 'REDIS_SERVER_BIN',
  debianPackage: 'redis-server',
}

/**
 * @param {Program} program
 * @returns {string | undefined} absolute path of the executable
 */
export function findProgram({ names, variable }) {
  const named = process.env[variable]
  if (named) return isExecutable(named) ? named : undefined
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => isExecutable(path))
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
