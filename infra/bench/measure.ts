import type { Entrant, Operation, Trial } from './operations.ts'

/** Milliseconds for one operation. */
export interface Timing {
  readonly rounds: number
  readonly median: number
  readonly least: number
  /** CPU time of all threads. */
  readonly medianCpu: number
  readonly leastCpu: number
}

/** Milliseconds that one contestant may spend on one operation, preparing included. */
const budget = 1500
/** Fewer measurements say little, but who takes several budgets for one has no more than that. */
const fewestRounds = 3
const largestBudget = 3 * budget

interface Series {
  readonly trial: Trial
  readonly wall: number[]
  readonly cpu: number[]
  spent: number
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
    if (trial !== undefined) all.set(name, { trial, wall: [], cpu: [], spent: 0 })
  }
  for (let round = 0; round < mostRounds; round++) {
    for (const series of all.values()) {
      if (round === 0 || series.spent < (round < fewestRounds ? largestBudget : budget)) {
        await takeTurn(series)
      }
    }
  }
  return new Map([...all].map(([name, series]) => [name, timing(series)]))
}

async function takeTurn(series: Series): Promise<void> {
  const { trial } = series
  const begun = performance.now()
  const run = await trial.prepare()
  const cpu = process.cpuUsage()
  const started = performance.now()
  const result = await run()
  const wall = performance.now() - started
  const { user, system } = process.cpuUsage(cpu)
  trial.check(result)
  const repetitions = trial.repetitions ?? 1
  series.wall.push(wall / repetitions)
  series.cpu.push((user + system) / 1000 / repetitions)
  series.spent += performance.now() - begun
}

function timing({ wall, cpu }: Series): Timing {
  return {
    rounds: wall.length,
    median: median(wall),
    least: Math.min(...wall),
    medianCpu: median(cpu),
    leastCpu: Math.min(...cpu),
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2
}

const weighedStates = 2

/**
 * Bytes that one more state keeps alive, with what lies outside the heap; undefined unless the
 * process was started with `--expose-gc`.
 */
export async function heapPerState(newState: () => Promise<unknown>): Promise<number | undefined> {
  if (globalThis.gc === undefined) return undefined
  const kept: unknown[] = []
  const before = await settledMemory()
  while (kept.length < weighedStates) kept.push(await newState())
  const after = await settledMemory()
  return Math.max(0, Math.round((after - before) / kept.length))
}

async function settledMemory(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    // Buffers are released in a later turn than the objects that had them.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
