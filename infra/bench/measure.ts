import type { Entrant, Operation, Trial } from './operations.ts'

/** Milliseconds for one operation. */
export interface Timing {
  readonly rounds: number
  readonly median: number
  readonly least: number
  /** CPU time of all threads, which browsers do not tell. */
  readonly medianCpu?: number
  readonly leastCpu?: number
}

const inNode = typeof process !== 'undefined'

/** Milliseconds that one contestant may spend on preparing one operation, and on doing it. */
const budget = 1500
/** Fewer measurements say little, but who takes several budgets for one has no more than that. */
const fewestRounds = 3
const largestBudget = 3 * budget
/** As many are prepared together, so that their garbage is gone when it begins. */
const blockLength = 10
/** Milliseconds in which the collector's threads come to rest. */
const restMs = 30

interface Series {
  readonly trial: Trial
  readonly wall: number[]
  readonly cpu: number[]
  readonly prepared: (() => unknown)[]
  preparing: number
  running: number
}

/**
 * Measures an operation, the contestants taking turns so that the machine's moods meet all of them.
 * Who is slow has fewer rounds; nobody has more than `mostRounds`.
 */
export async function measure(
  entrants: ReadonlyMap<string, Entrant>,
  operation: Operation,
  mostRounds: number,
): Promise<ReadonlyMap<string, Timing>> {
  const all = new Map<string, Series>()
  for (const [name, { trials }] of entrants) {
    const trial = trials[operation]
    if (trial === undefined) continue
    all.set(name, { trial, wall: [], cpu: [], prepared: [], preparing: 0, running: 0 })
  }
  // The first round shows what a round takes.
  for (let round = 0, block = 1; round < mostRounds; round += block, block = blockLength) {
    for (const series of all.values()) await prepare(series, Math.min(block, mostRounds - round))
    await new Promise((resolve) => setTimeout(resolve, restMs))
    while ([...all.values()].some(({ prepared }) => prepared.length > 0)) {
      for (const series of all.values()) await takeTurn(series)
    }
  }
  return new Map([...all].map(([name, series]) => [name, timing(series)]))
}

async function prepare(series: Series, block: number): Promise<void> {
  const { trial, wall, prepared } = series
  while (prepared.length < block && affords(wall.length + prepared.length, series.preparing)) {
    const begun = performance.now()
    prepared.push(await trial.prepare())
    series.preparing += performance.now() - begun
  }
}

/** Whether another round is to follow these, which took so many milliseconds. */
function affords(rounds: number, spent: number): boolean {
  return rounds === 0 || spent < (rounds < fewestRounds ? largestBudget : budget)
}

async function takeTurn(series: Series): Promise<void> {
  const { trial, prepared } = series
  const run = prepared.shift()
  if (run === undefined) return
  if (!affords(series.wall.length, series.running)) {
    prepared.length = 0
    return
  }
  // What the one before has left behind is not for this one to clear away.
  globalThis.gc?.({ type: 'minor' })
  const cpuBefore = cpuTime()
  const started = performance.now()
  const result = await run()
  const wall = performance.now() - started
  const cpuAfter = cpuTime()
  trial.check(result)
  const repetitions = trial.repetitions ?? 1
  series.wall.push(wall / repetitions)
  if (cpuBefore !== undefined && cpuAfter !== undefined) {
    series.cpu.push((cpuAfter - cpuBefore) / repetitions)
  }
  series.running += wall
}

/** Milliseconds of all threads. */
function cpuTime(): number | undefined {
  if (!inNode) return undefined
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function timing({ wall, cpu }: Series): Timing {
  return {
    rounds: wall.length,
    median: median(wall),
    least: Math.min(...wall),
    ...(cpu.length > 0 && { medianCpu: median(cpu), leastCpu: Math.min(...cpu) }),
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2
}

/**
 * Bytes that one more state keeps alive, with what lies outside the heap; undefined in
 * browsers and unless the process was started with `--expose-gc`. The smaller a state is, the more are weighed together.
 */
export async function heapPerState(
  newState: () => Promise<unknown>,
  members: number,
): Promise<number | undefined> {
  if (!inNode || globalThis.gc === undefined) return undefined
  const states = Math.min(50, Math.max(3, Math.ceil(1000 / members)))
  const kept: unknown[] = []
  const before = await memoryInUse()
  while (kept.length < states) kept.push(await newState())
  const after = await memoryInUse()
  return Math.max(0, Math.round((after - before) / kept.length))
}

/** Bytes on the heap and beside it, after what is not needed any more has gone. */
export async function memoryInUse(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    // Buffers are released in a later turn than the objects that had them.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
