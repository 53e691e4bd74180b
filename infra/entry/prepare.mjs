import { resolveWorker } from '../mediasoup-worker/resolve.mjs'
import { installDependencies } from './install.mjs'
import { environmentFor, modernNode } from './nodeRuntime.mjs'
import { chromium, findProgram, firefox, redisServer } from './programs.mjs'

const isContinuousIntegration = !['', '0', 'false'].includes(process.env['CI'] ?? '')

/**
 * The Node that later steps run on, and the environment in which they find what was prepared.
 *
 * @typedef {{ node: string, env: NodeJS.ProcessEnv }} Prepared
 */

/**
 * Installs the locked dependencies and mediasoup's worker; for tests also Chromium and
 * redis-server. Firefox, which one test uses, is installed for continuous integration alone.
 *
 * @param {{ forTests: boolean }} needs
 * @returns {Promise<Prepared>}
 * @throws SetupError
 */
export async function prepare({ forTests }) {
  await installDependencies()
  const node = modernNode()
  const forEveryTest = [chromium, redisServer]
  const needed = isContinuousIntegration ? [...forEveryTest, firefox] : forEveryTest
  const programs = forTests ? needed : []
  const missing = programs.filter((program) => findProgram(program) === undefined)
  const worker = await resolveWorker({
    otherPackages: missing.map(({ debianPackage }) => debianPackage),
    otherPurpose: 'testing',
  })
  const env = environmentFor(node)
  env['MEDIASOUP_WORKER_BIN'] = worker
  for (const program of programs) env[program.variable] = findProgram(program)
  return { node, env }
}
