import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, throwIfInterrupted } from './processes.mjs'
import { repository } from './repository.mjs'

/**
 * Runs Vitest with one of its reporters for people, and its JSON report on the side.
 *
 * @param {import('./prepare.mjs').Prepared} prepared
 * @param {readonly string[]} args
 * @param {{ reporter?: 'default' | 'verbose', timeoutMs?: number, onLine?: (line: string) => void }} [options]
 *   verbose says of each test when it is done; the others are as `run` has them
 * @returns {Promise<{ ended: import('./processes.mjs').Ended, report: string | undefined }>}
 *   the report is undefined where Vitest did not get as far
 * @throws SetupError `interrupted`
 */
export async function runVitest({ node, env }, args, { reporter = 'default', ...options } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'conclave-tests-'))
  const path = join(folder, 'report.json')
  const vitest = join(repository, 'node_modules', 'vitest', 'vitest.mjs')
  const reporters = [`--reporter=${reporter}`, '--reporter=json', `--outputFile.json=${path}`]
  try {
    const command = [vitest, 'run', ...reporters, ...args]
    const ended = await run(node, command, { cwd: repository, env, ...options })
    throwIfInterrupted(ended)
    return { ended, report: await readFile(path, 'utf8').catch(() => undefined) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
