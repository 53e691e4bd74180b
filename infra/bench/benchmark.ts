import { BenchError } from './benchError.ts'
import { heapPerState, measure, type Timing } from './measure.ts'
import { type Contestant, type Entrant, type Operation, operations } from './operations.ts'
import { buildWorld, type Kind, type World } from './world.ts'

/** Times of one operation in one world, by contestant. */
export interface TimeRow {
  readonly operation: Operation
  readonly members: number
  readonly kind: Kind
  readonly timings: ReadonlyMap<string, Timing>
}

/** Bytes in one world, by contestant. */
export interface SizeRow {
  readonly what: string
  readonly members: number
  readonly kind: Kind
  readonly bytes: ReadonlyMap<string, number>
}

export interface Measured {
  readonly times: readonly TimeRow[]
  readonly sizes: readonly SizeRow[]
}

/** What is to be measured. */
export interface Workload {
  readonly members: readonly number[]
  readonly only: ReadonlySet<Operation>
  /** Each operation is measured at most this often. */
  readonly rounds: number
}

/** The functions are compiled for the work before any of it counts. */
const warmUp = { members: 32, rounds: 20 }

/** Measured once for each size: these do not depend on how the tree was built. */
const onlyWarm: readonly Operation[] = ['bulk-add.create', 'exporter', 'protect', 'unprotect']

/**
 * @throws BenchError `bench-work-not-done`, `bench-contestants-disagree`
 */
export async function runBenchmark(
  { members, only, rounds }: Workload,
  contestants: readonly Contestant[],
  progress: (line: string) => void,
): Promise<Measured> {
  const asked = operations.filter((operation) => only.has(operation))

  const warmUpRounds = Math.min(rounds, warmUp.rounds)
  progress(`warming up on ${warmUp.members} members`)
  await inWorld(contestants, warmUp.members, 'warm', asked, warmUpRounds, () => {})

  const all: Measured[] = []
  for (const size of members) {
    for (const kind of ['cold', 'warm'] as const) {
      const some = asked.filter((operation) => kind === 'warm' || !onlyWarm.includes(operation))
      all.push(await inWorld(contestants, size, kind, some, rounds, progress))
    }
  }
  return {
    times: all.flatMap(({ times }) => times),
    sizes: all.flatMap(({ sizes }) => sizes),
  }
}

async function inWorld(
  contestants: readonly Contestant[],
  members: number,
  kind: Kind,
  asked: readonly Operation[],
  rounds: number,
  progress: (line: string) => void,
): Promise<Measured> {
  const where = `${members} members, ${kind}`
  progress(`▸ ${where}: building`)
  const world = await buildWorld(members, kind)
  const entrants = await enterAll(contestants, world)
  const times: TimeRow[] = []
  for (const operation of asked) {
    const timings = await measure(entrants, operation, rounds)
    progress(`✓ ${where}: ${operation} · ${medians(timings)}`)
    times.push({ operation, members, kind, timings })
  }
  const sizes = await sizesIn(world, entrants)
  for (const [name, { agree }] of entrants) {
    if (agree !== undefined && !(await agree())) {
      throw disagreement(`two members of ${name}'s derive different secrets`)
    }
  }
  return { times, sizes }
}

/** @throws BenchError `bench-contestants-disagree` */
export async function enterAll(
  contestants: readonly Contestant[],
  world: World,
): Promise<ReadonlyMap<string, Entrant>> {
  const entrants = new Map<string, Entrant>()
  for (const contestant of contestants) {
    entrants.set(contestant.name, await contestant.enter(world))
  }
  const exported = [...entrants.values()].map((entrant) => entrant.exported)
  const secrets = new Set(exported.filter((secret) => secret !== undefined))
  if (secrets.size > 1) throw disagreement('contestants export different secrets')
  return entrants
}

async function sizesIn(
  { members, kind, ratchetTree }: World,
  entrants: ReadonlyMap<string, Entrant>,
): Promise<SizeRow[]> {
  const rows = new Map<string, Map<string, number>>()
  const put = (what: string, name: string, bytes: number) =>
    rows.set(what, (rows.get(what) ?? new Map<string, number>()).set(name, bytes))
  for (const [name, { sizes, newState }] of entrants) {
    for (const [what, bytes] of Object.entries(sizes)) put(what, name, bytes)
    if (newState === undefined) continue
    put('ratchet tree', name, ratchetTree.length)
    const heap = await heapPerState(newState, members)
    if (heap !== undefined) put('heap for a state', name, heap)
  }
  return [...rows].map(([what, bytes]) => ({ what, members, kind, bytes }))
}

function medians(timings: ReadonlyMap<string, Timing>): string {
  return [...timings].map(([name, { median }]) => `${name} ${median.toFixed(2)} ms`).join(', ')
}

function disagreement(message: string): BenchError {
  return new BenchError('bench-contestants-disagree', message)
}
