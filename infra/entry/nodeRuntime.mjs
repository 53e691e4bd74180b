import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { repository } from './repository.mjs'
import { SetupError } from './setupError.mjs'

/** What package.json's `engines` asks for; mediasoup needs it. */
export const minimumNode = /** @type {const} */ ([22, 12])

/**
 * The Node that everything after the installation runs on: this one if it is new enough, else the
 * one that npm has installed as an optional dependency.
 *
 * @returns {string} path of the executable
 * @throws SetupError `node-too-old`
 */
export function modernNode() {
  if (isNewEnough(process.version)) return process.execPath
  const bundled = join(
    repository,
    'node_modules',
    `node-${process.platform}-${process.arch}`,
    'bin',
    'node',
  )
  const { stdout } = spawnSync(bundled, ['--version'], { encoding: 'utf8' })
  if (stdout && isNewEnough(stdout.trim())) return bundled
  throw new SetupError(
    'node-too-old',
    `Node ${minimumNode.join('.')} or newer is needed; this is ${process.version}, and npm offers no newer one for ${process.platform}-${process.arch}`,
    { remedy: 'install Node 24 from https://nodejs.org and run the command again' },
  )
}

/** @param {string} version such as `v22.12.0` */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  return major > minimumNode[0] || (major === minimumNode[0] && minor >= minimumNode[1])
}

/**
 * An environment in which `node` is the given one, for the tools that look it up.
 *
 * @param {string} node
 * @returns {NodeJS.ProcessEnv}
 */
export function environmentFor(node) {
  const path = process.env['PATH'] ?? ''
  return { ...process.env, PATH: `${dirname(node)}${delimiter}${path}` }
}
