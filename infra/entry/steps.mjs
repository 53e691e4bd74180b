import { join } from 'node:path'
import { runOrThrow } from './processes.mjs'
import { progress } from './progress.mjs'
import { repository } from './repository.mjs'
import { runVitest } from './runVitest.mjs'
import { SetupError } from './setupError.mjs'
import { countTests } from './testCounts.mjs'

/**
 * The steps of `npm test` and `npm run verify`, each a function that rejects when it fails.
 *
 * @typedef {import('./prepare.mjs').Prepared} Prepared
 * @typedef {(prepared: Prepared) => Promise<void>} Step
 */

const meeting = join(repository, 'examples', 'meeting')

/** Compiles every package and bundles the meeting's page. @type {Step} */
export async function build(prepared) {
  await tool(prepared, 'build packages (tsc -b)', 'typescript/bin/tsc', ['-b'])
  await tool(prepared, 'bundle the meeting page (vite build)', 'vite/bin/vite.js', ['build'], {
    cwd: meeting,
  })
}

/** @type {Step} */
export async function lint(prepared) {
  const args = ['check', '--error-on-warnings']
  await tool(prepared, 'lint and formatting (biome)', '@biomejs/biome/bin/biome', args)
}

/** @type {Step} */
export async function layers(prepared) {
  await script(prepared, 'layers (dependency-cruiser)', 'layers.mjs')
}

/** Prints what browsers load of core and holds it to its goal. @type {Step} */
export async function size(prepared) {
  await script(prepared, 'size of core in browsers (vite build)', 'coreSize.mjs')
}

/** Needs the build: a package's documentation names types of another. @type {Step} */
export async function documentation(prepared) {
  await script(prepared, 'API documentation (typedoc)', 'apiDocs.mjs')
}

/** Checks the types of the scripts, and that what the packages publish is what they declare. @type {Step} */
export async function types(prepared) {
  await tool(prepared, 'types of the scripts (tsc)', 'typescript/bin/tsc', ['-p', 'infra'])
  for (const name of ['core', 'client-sdk', 'keyserver', 'sfu']) {
    const args = ['run', name, '--strict']
    await tool(prepared, `published package ${name} (publint)`, 'publint/src/cli.js', args)
  }
}

/** Everything that must hold before a change is merged, besides the tests. */
export const allChecks = [build, lint, layers, types, size, documentation]

/**
 * Runs Vitest.
 *
 * @param {Prepared} prepared
 * @param {readonly string[]} [args] passed on to Vitest
 * @param {(line: string) => void} [onLine] gets Vitest's output instead of the terminal
 * @returns {Promise<import('./testCounts.mjs').TestCounts & { succeeded: boolean }>}
 *   succeeded is false too when no test ran; a run that fails in any way has a failed test
 * @throws SetupError `interrupted`
 */
export async function tests(prepared, args = [], onLine = undefined) {
  const options = onLine === undefined ? {} : { onLine }
  const { ended, report } = await runVitest(prepared, args, options)
  const counts = countTests(report)
  if (ended.code !== 0 && counts.failed === 0) counts.failed = 1
  return { ...counts, succeeded: ended.code === 0 && counts.failed === 0 && counts.passed > 0 }
}

/**
 * Runs checks one after the other, the later ones too when one fails.
 *
 * @param {Prepared} prepared
 * @param {readonly Step[]} checks
 * @returns {Promise<string[]>} the names of those that failed
 * @throws SetupError `interrupted`
 */
export async function failedChecks(prepared, checks) {
  const failed = []
  for (const check of checks) {
    try {
      await check(prepared)
    } catch (error) {
      if (!(error instanceof SetupError) || error.code === 'interrupted') throw error
      failed.push(check.name)
    }
  }
  return failed
}

/**
 * Runs a dependency's command-line tool.
 *
 * @param {Prepared} prepared
 * @param {string} what
 * @param {string} script below node_modules
 * @param {readonly string[]} args
 * @param {{ cwd?: string }} [options]
 */
async function tool({ node, env }, what, script, args, { cwd = repository } = {}) {
  const path = join(repository, 'node_modules', script)
  await progress(what, () => runOrThrow(what, node, [path, ...args], { cwd, env }))
}

/**
 * Runs a check of ours.
 *
 * @param {Prepared} prepared
 * @param {string} what
 * @param {string} name of a file in infra/checks
 */
async function script({ node, env }, what, name) {
  const path = join(repository, 'infra', 'checks', name)
  await progress(what, () => runOrThrow(what, node, [path], { cwd: repository, env }))
}
