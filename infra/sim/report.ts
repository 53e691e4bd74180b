import type { Coverage } from './coverage.ts'
import { type Plan, planOf } from './plan.ts'
import type { Outcome } from './simulate.ts'

/** A run that broke an invariant, with what is left of its plan. */
export interface Failure {
  readonly plan: Plan
  /** Of the plan before it was shrunk. */
  readonly stepCount: number
  readonly outcome: Outcome
}

/** What runs it again: the steps that are left, drawn from the same seed. */
export function replayOf({ plan, stepCount }: Omit<Failure, 'outcome'>): string {
  const { seed, members, steps } = plan
  const only = steps.map(({ place, thenMs }) => `${place}@${thenMs}`).join(',')
  return `npm run sim -- --seed ${seed} --members ${members} --steps ${stepCount} --only ${only} --trace`
}

export function describeFailure(failure: Failure): string {
  const { plan, outcome } = failure
  const { violation } = outcome
  const steps = plan.steps.map(
    ({ place, action, who, thenMs }) => `  ${place}. ${action} (p${who}), then ${thenMs} ms`,
  )
  return [
    `✗ seed ${plan.seed}: ${violation?.check}: ${violation?.message}`,
    ...steps,
    `  ${replayOf(failure)}`,
  ].join('\n')
}

export function failureAsJson(failure: Failure): string {
  const { plan, outcome } = failure
  const { check, message } = outcome.violation ?? {}
  return JSON.stringify({
    sim: 'failure',
    seed: plan.seed,
    check,
    message,
    digest: outcome.digest,
    steps: plan.steps,
    replay: replayOf(failure),
  })
}

/** What all runs together have been through. */
export interface Summary {
  readonly runs: number
  readonly failed: number
  readonly seconds: number
  readonly figures: Readonly<Record<string, number>>
  readonly coverage: Coverage
}

export function describeSummary({ runs, failed, seconds, figures, coverage }: Summary): string {
  const counts = Object.entries({ ...figures, ...coverage.counts() })
  const faults = Object.entries(coverage.faults()).map(([kind, met]) => {
    const each = Object.entries(met).map(([fault, count]) => `${fault} ${count}`)
    return `  ${kind}: ${each.join(', ')}`
  })
  return [
    'What happened:',
    ...counts.map(([what, count]) => `  ${what}: ${count}`),
    'Which messages and steps met which fault:',
    ...faults,
    `${runs - failed} runs passed, ${failed} failed, in ${seconds.toFixed(1)} s`,
  ].join('\n')
}

export function summaryAsJson({ coverage, ...summary }: Summary): string {
  const { counts, faults } = { counts: coverage.counts(), faults: coverage.faults() }
  return JSON.stringify({ sim: 'summary', ...summary, counts, faults })
}

/** The plan of a seed, or what `only` leaves of it. */
export function planFor(
  seed: number,
  members: number,
  steps: number,
  only: ReadonlyMap<number, number> | undefined,
): Plan {
  const plan = planOf(seed, members, steps)
  if (only === undefined) return plan
  const left = plan.steps.flatMap((step) => {
    const thenMs = only.get(step.place)
    return thenMs === undefined ? [] : [{ ...step, thenMs }]
  })
  return { ...plan, steps: left }
}
