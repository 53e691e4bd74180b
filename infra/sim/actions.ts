import type { Chance } from './chance.ts'
import type { Person } from './people/person.ts'
import type { World } from './world.ts'

/** Something that happens in a run. What it needs of chance is its step's own. */
export interface Action {
  readonly name: string
  /** How often it is chosen, beside the others. */
  readonly weight: number
  /** How long nothing else is done then, in milliseconds, where that is the action. */
  readonly restMs?: readonly [number, number]
  /** Begins it, and does not wait for what takes time: none passes before it returns. */
  run(world: World, who: Person, chance: Chance): void | Promise<void>
}

/** How many microtasks a process that is to die still gets, at most. */
const mostTurns = 300

/** All that can happen. A new feature's steps are new entries here. */
export const actions: readonly Action[] = [
  { name: 'come', weight: 8, run: (_, who) => who.come() },
  { name: 'leave', weight: 3, run: (_, who) => who.leave() },
  { name: 'vanish', weight: 2, run: (_, who) => who.vanish() },
  {
    name: 'crash',
    weight: 6,
    run: (_, who, chance) => {
      const fate = { arrivals: chance.magnitude(1, 12), turns: chance.magnitude(1, mostTurns) }
      who.crash(fate, chance.between(200, 20_000))
    },
  },
  {
    name: 'crash in a write',
    weight: 3,
    run: (_, who, chance) => {
      const fate = { writes: chance.magnitude(1, 4), isThere: chance.happens(0.5) }
      who.crash(fate, chance.between(200, 20_000))
    },
  },
  {
    name: 'cut',
    weight: 4,
    run: (world, who, chance) =>
      world.network.cut({ client: who.life?.name ?? '' }, chance.happens(0.7)),
  },
  {
    name: 'part',
    weight: 3,
    run: (world, who, chance) => {
      const others = world.people.filter((person) => person === who || chance.happens(0.3))
      const instances = world.cluster.alive.map(({ name }) => name)
      const far = instances.filter(() => chance.happens(0.7))
      const names = others.flatMap(({ life }) => life?.name ?? [])
      world.network.part(names, far.length > 0 ? far : instances, chance.magnitude(200, 40_000))
    },
  },
  {
    name: 'lose an answer',
    weight: 3,
    run: (_, who, chance) => {
      const { life } = who
      if (life !== undefined) life.transport.answersToLose += chance.whole(1, 2)
    },
  },
  {
    name: 'fail over',
    weight: 3,
    run: (world, _, chance) => {
      const { alive } = world.cluster
      if (alive.length === 0) return
      world.cluster.fail(chance.pick(alive), chance.magnitude(100, 20_000))
    },
  },
  {
    name: 'store out',
    weight: 1,
    run: (world, _, chance) => world.cluster.storeOut(chance.magnitude(50, 8_000)),
  },
  {
    name: 'mute instances',
    weight: 3,
    run: (world, _, chance) => world.cluster.mute(chance.magnitude(500, 15_000)),
  },
  {
    name: 'lose entries',
    weight: 1,
    run: (world, _, chance) =>
      world.loseLately(chance.magnitude(20, 20_000), { butPresence: true }),
  },
  {
    name: 'lose all',
    weight: 1,
    run: (world, _, chance) =>
      world.loseLately(chance.magnitude(20, 5_000), { butPresence: false }),
  },
  {
    name: 'damage',
    weight: 3,
    run: (world, who, chance) => {
      // Most often for members: a Welcome that cannot be opened only makes its owner come again.
      const members = world.people.filter(({ life }) => life?.isIn === true)
      const chosen = members.filter((_, i) => i === 0 || chance.happens(0.5))
      world.damage(chance.happens(0.2) ? [who] : chosen)
    },
  },
  {
    name: 'rebuild media',
    weight: 2,
    run: (_, who) => void who.life?.rebuildMedia(),
  },
  { name: 'steal', weight: 2, run: (world, who) => world.steal(who) },
  { name: 'say', weight: 4, run: (world, who, chance) => world.say(who, chance.magnitude(1, 12)) },
  {
    name: 'sleep',
    weight: 3,
    // A moment, or more than a minute.
    run: (_, who, chance) =>
      who.life?.sleep(
        chance.happens(0.5) ? chance.magnitude(500, 60_000) : chance.whole(61_000, 100_000),
      ),
  },
  {
    name: 'invite',
    weight: 2,
    // By somebody else, where this one is not in.
    run: (world, who, chance) => {
      const away = world.people.filter(({ wants, hasPublished }) => !wants && hasPublished)
      const host = [who, ...world.people].find(({ life }) => life?.isIn === true)
      if (host !== undefined && away.length > 0) world.invite(host, chance.pick(away))
    },
  },
  {
    name: 'reinit',
    weight: 2,
    run: (world, who, chance) => world.reinitialise(who, chance),
  },
  { name: 'wait', weight: 2, run: () => {} },
  // Nobody moves until everybody has renewed its keys.
  { name: 'idle', weight: 1, restMs: [11 * 60_000, 13 * 60_000], run: () => {} },
]

export function actionNamed(name: string): Action | undefined {
  return actions.find((action) => action.name === name)
}
