import { runVitest } from '../entry/runVitest.mjs'
import { countTests } from '../entry/testCounts.mjs'

/**
 * Tests that are repeated until the result means something. They ask core/test/campaign.ts how
 * often and from which seed, and tell it what they saw.
 *
 * @typedef {object} Campaign
 * @property {string} name as `--only` has it
 * @property {string} shows what it is evidence of when it passes
 * @property {readonly string[]} files of Vitest tests, from the top of the repository
 * @property {number} runs of each property
 * @property {number} limitMinutes after which it has failed
 * @property {boolean} alone whether it needs all cores, or measures time; the others take one core
 */

/**
 * @typedef {object} CampaignTest
 * @property {string} test
 * @property {string} outcome `passed`, `failed` or `skipped`
 * @property {number} seconds
 * @property {Readonly<Record<string, number | string>>} [figures]
 */

/**
 * @typedef {object} CampaignResult
 * @property {'passed' | 'failed' | 'timed-out'} outcome
 * @property {number} seed
 * @property {number} runs
 * @property {number} seconds
 * @property {import('../entry/testCounts.mjs').TestCounts} counts
 * @property {CampaignTest[]} tests
 */

/**
 * @param {import('../entry/prepare.mjs').Prepared} prepared
 * @param {Campaign} campaign
 * @param {number} seed
 * @param {(line: string) => void} onLine
 * @returns {Promise<CampaignResult>}
 * @throws SetupError `interrupted`
 */
export async function runCampaign({ node, env }, { files, runs, limitMinutes }, seed, onLine) {
  const started = Date.now()
  const { ended, report } = await runVitest(
    { node, env: { ...env, CONCLAVE_RUNS: String(runs), CONCLAVE_SEED: String(seed) } },
    // The campaign's own limit is the only one.
    [...files, '--testTimeout=0'],
    { reporter: 'verbose', timeoutMs: limitMinutes * 60_000, onLine },
  )
  const counts = countTests(report)
  const succeeded = ended.code === 0 && counts.failed === 0 && counts.passed > 0
  return {
    outcome: ended.timedOut ? 'timed-out' : succeeded ? 'passed' : 'failed',
    seed,
    runs,
    seconds: Math.round((Date.now() - started) / 1000),
    counts,
    tests: report === undefined ? [] : testsOf(report),
  }
}

/**
 * @param {string} report of Vitest
 * @returns {CampaignTest[]}
 */
export function testsOf(report) {
  /** @type {{ testResults: { assertionResults: { fullName: string, status: string, duration?: number, meta: { figures?: Record<string, number | string> } }[] }[] }} */
  const { testResults } = JSON.parse(report)
  return testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ fullName, status, duration = 0, meta: { figures } }) => ({
      test: fullName,
      outcome: status === 'passed' || status === 'failed' ? status : 'skipped',
      seconds: Math.round(duration / 100) / 10,
      ...(figures === undefined ? {} : { figures }),
    })),
  )
}
