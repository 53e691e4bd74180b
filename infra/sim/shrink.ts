import type { Plan, Step } from './plan.ts'
import { nothingPlanted, type Plant } from './plant.ts'
import { type Outcome, simulate } from './simulate.ts'

/** A plan that breaks an invariant, as small as was found in so many runs. */
export interface Shrunk {
  readonly plan: Plan
  readonly outcome: Outcome
  readonly runs: number
}

/**
 * Leaves out steps, and then pauses, for as long as the same invariant is broken: delta debugging
 * over the list of actions. Each keeps its own chance, whatever goes before it.
 */
export async function shrink(
  plan: Plan,
  outcome: Outcome,
  options: { readonly plant?: Plant; readonly mostRuns?: number } = {},
): Promise<Shrunk> {
  const { plant = nothingPlanted, mostRuns = 300 } = options
  const check = outcome.violation?.check
  let best = { plan, outcome }
  let runs = 0

  const failsWith = async (steps: readonly Step[]): Promise<boolean> => {
    if (runs >= mostRuns) return false
    runs += 1
    const smaller = { ...best.plan, steps }
    const tried = await simulate(smaller, plant)
    if (tried.violation?.check !== check) return false
    best = { plan: smaller, outcome: tried }
    return true
  }

  for (let size = plan.steps.length >> 1; size >= 1; ) {
    let removed = false
    for (let from = 0; from < best.plan.steps.length; ) {
      const { steps } = best.plan
      const without = [...steps.slice(0, from), ...steps.slice(from + size)]
      if (await failsWith(without)) removed = true
      else from += size
    }
    if (size === 1 && !removed) break
    size = Math.max(1, size >> 1)
    if (runs >= mostRuns) break
  }
  for (const [i, step] of best.plan.steps.entries()) {
    if (step.thenMs === 0) continue
    await failsWith(best.plan.steps.with(i, { ...step, thenMs: 0 }))
  }
  return { ...best, runs }
}
