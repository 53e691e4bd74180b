import { prepare } from './prepare.mjs'
import { failedChecks, tests } from './steps.mjs'
import { closingLine } from './testCounts.mjs'

/**
 * Prepares, runs checks and then the tests, and closes with the counts of the tests.
 *
 * @param {readonly import('./steps.mjs').Step[]} checks
 * @param {readonly string[]} [vitestArgs]
 * @returns {Promise<number>} exit code
 * @throws SetupError
 */
export async function verify(checks, vitestArgs = []) {
  const prepared = await prepare({ forTests: true })
  const failed = await failedChecks(prepared, checks)
  const { succeeded, ...counts } = await tests(prepared, vitestArgs)
  if (failed.length > 0) console.log(`\n✗ failed: ${failed.join(', ')}`)
  console.log(closingLine(counts))
  return succeeded && failed.length === 0 ? 0 : 1
}
