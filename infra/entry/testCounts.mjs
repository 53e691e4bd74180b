/**
 * @typedef {{ passed: number, failed: number, skipped: number }} TestCounts
 */

/**
 * Counts the tests in Vitest's JSON report. A file that fails outside its tests counts as one
 * failed test; so does a run that left no report.
 *
 * @param {string | undefined} report
 * @returns {TestCounts}
 */
export function countTests(report) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  if (report === undefined) return { ...counts, failed: 1 }
  /** @type {{ testResults: { status: string, assertionResults: { status: string }[] }[] }} */
  const { testResults } = JSON.parse(report)
  for (const { status, assertionResults } of testResults) {
    const failedBefore = counts.failed
    for (const assertion of assertionResults) {
      if (assertion.status === 'passed') counts.passed += 1
      else if (assertion.status === 'failed') counts.failed += 1
      else counts.skipped += 1
    }
    if (status === 'failed' && counts.failed === failedBefore) counts.failed += 1
  }
  return counts
}

/**
 * The closing line that continuous integration looks for.
 *
 * @param {TestCounts} counts
 */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}
