import type { Result } from './suite.ts'

const marks = { passed: '✓', failed: '✗', skipped: '–' } as const

/** One line for a check, and what was expected and seen where it failed. */
export function line(result: Result): string {
  const { id, promise, section, outcome } = result
  const head = `${marks[outcome]} ${id}: ${promise} (${section})`
  switch (outcome) {
    case 'passed':
      return `${head} ${result.ms} ms`
    case 'skipped':
      return `${head} skipped: it needs ${needed[result.needs]}`
    case 'failed':
      return `${head} ${result.ms} ms\n    expected ${result.expected}\n    saw ${result.seen}`
  }
}

const needed = {
  secret: 'the secret of access tokens',
  people: 'tokens for several people',
  durable: '--durable',
  idle: '--idle-ms',
} as const

export function summary(results: readonly Result[]): string {
  const count = (outcome: Result['outcome']) =>
    results.filter((result) => result.outcome === outcome).length
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`
}

/** One JSON object a line, the last for the whole run. */
export function jsonReport(results: readonly Result[]): string {
  const failed = results.filter(({ outcome }) => outcome === 'failed').map(({ id }) => id)
  const lines = [...results, { conformance: failed.length === 0, failed }]
  return lines.map((object) => JSON.stringify(object)).join('\n')
}
