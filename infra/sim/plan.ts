import { type Action, actions } from './actions.ts'
import { Chance } from './chance.ts'

/** One step of a run: an action of somebody's, and how long nothing else is done then. */
export interface Step {
  /** Where it stood when the plan was made: what its chance is drawn from. */
  readonly place: number
  readonly action: string
  readonly who: number
  readonly thenMs: number
}

export interface Plan {
  readonly seed: number
  readonly members: number
  readonly steps: readonly Step[]
}

/** What a seed stands for; of these actions alone, where some are named. */
export function planOf(
  seed: number,
  members: number,
  count: number,
  among?: readonly string[],
): Plan {
  const chance = new Chance('plan', seed, members, count)
  // Each run does without some of all that can happen: what is rare beside the rest comes in rows.
  const chosen = actions.filter(
    ({ name, weight }) => among?.includes(name) ?? (weight > 2 || chance.happens(0.5)),
  )
  const total = chosen.reduce((sum, { weight }) => sum + weight, 0)
  const steps: Step[] = []
  for (let place = 0; place < count; place++) {
    // Somebody has to be there for anything to happen.
    const isBeginning = place < Math.min(members, count / 3)
    let drawn = chance.between(0, total)
    const action = chosen.find(({ weight }) => {
      drawn -= weight
      return drawn < 0
    })
    steps.push({
      place,
      action: isBeginning ? 'come' : (action?.name ?? 'wait'),
      who: isBeginning ? place : chance.whole(0, members - 1),
      thenMs: pauseAfter(chance, isBeginning ? undefined : action?.restMs),
    })
  }
  return { seed, members, steps }
}

function pauseAfter(chance: Chance, restMs: Action['restMs']): number {
  if (restMs !== undefined) return chance.whole(...restMs)
  if (chance.happens(0.25)) return 0
  return chance.magnitude(1, chance.happens(0.2) ? 30_000 : 1_500)
}
