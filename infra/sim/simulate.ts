import { hash } from 'node:crypto'
import { actionNamed } from './actions.ts'
import { Chance } from './chance.ts'
import type { Coverage } from './coverage.ts'
import type { Plan } from './plan.ts'
import { nothingPlanted, type Plant } from './plant.ts'
import type { Violation } from './violation.ts'
import { World } from './world.ts'

/** How long a meeting may take to be whole again once faults have stopped, in milliseconds. */
const recoveryMs = 180_000
/** And how long until its group has ended after everybody has left. */
const closingMs = 50_000

export interface Outcome {
  readonly violation: Violation | undefined
  readonly trace: readonly string[]
  /** Equal for runs that went exactly alike. */
  readonly digest: string
  readonly coverage: Coverage
  readonly figures: Readonly<Record<string, number>>
}

/** Does what a plan says, and then lets the meeting recover and end. */
export async function simulate(plan: Plan, plant: Plant = nothingPlanted): Promise<Outcome> {
  const uninstall = plant.install?.()
  try {
    const world = await World.open(plan, plant)
    await runSteps(world, plan)
    world.calmDown()
    await world.settle(recoveryMs, 'not-converged')
    if (world.violation === undefined) {
      for (const person of world.people) person.leave()
      await world.settle(closingMs + world.graceMs, 'not-closed')
      world.checkConversation()
    }
    const { violation, coverage, figures } = world
    // Where a run was broken off, what was under way goes on.
    const trace = [...world.trace]
    const digest = hash('sha256', trace.join('\n')).slice(0, 16)
    return { violation, trace, digest, coverage, figures }
  } finally {
    uninstall?.()
  }
}

async function runSteps(world: World, { seed, steps }: Plan): Promise<void> {
  for (const { place, action, who, thenMs } of steps) {
    if (world.violation !== undefined) return
    const person = world.people[who]
    if (person === undefined) continue
    world.note(`▸ ${action} (p${who})`)
    world.coverage.count(`action: ${action}`)
    await actionNamed(action)?.run(world, person, new Chance('step', seed, place))
    await world.pass(thenMs)
  }
}
