import { setTimeout as delay } from 'node:timers/promises'
import { BenchError } from '../bench/benchError.ts'
import { Child, machineTime } from '../servers/child.ts'
import type { Action, ClientQuestions, Standing } from './clientProcess.ts'
import type { ClientRecord, MeetingPlace } from './loadClient.ts'
import { meanCosts, type PrimitiveCosts } from './primitiveCosts.ts'

const program = new URL('./clientProcess.ts', import.meta.url)
/** A client has a heap of its own in a real meeting, and not a hundredth of one. */
const roomForMany = ['--max-semi-space-size=128']
/** Before members are asked again that see as many as they should in epochs that differ. */
const againMs = 50
/** Who is named of those that a run fails for. */
const named = 5

/** All clients of a run, in their processes. */
export class Participants {
  readonly #processes: readonly Child<ClientQuestions>[]
  readonly #patienceMs: number
  readonly #places = new Map<string, Child<ClientQuestions>>()

  private constructor(processes: readonly Child<ClientQuestions>[], patienceMs: number) {
    this.#processes = processes
    this.#patienceMs = patienceMs
  }

  /** @throws BenchError `bench-server-failed` */
  static async start(place: MeetingPlace, processes: number): Promise<Participants> {
    const starting = Array.from({ length: processes }, () =>
      Child.start<ClientQuestions>(program, place, roomForMany),
    )
    return new Participants(await Promise.all(starting), place.patienceMs)
  }

  /** All of it, each at its time; newcomers go to the processes in turn. */
  async act(actions: readonly Action[]): Promise<void> {
    const shares = Map.groupBy(actions, ({ name }) => this.#processOf(name))
    await Promise.all([...shares].map(([child, own]) => child.ask('act', own)))
  }

  /**
   * Resolves once all clients that are in the meeting see so many members, in one epoch with one key.
   * @throws BenchError `bench-work-not-done` where a client has failed, `bench-members-stalled`,
   *   `bench-members-disagree`
   */
  async settle(members: number): Promise<void> {
    const deadline = machineTime() + this.#patienceMs
    for (;;) {
      const all = (await this.#everywhere((child) => child.ask('settle', members))).flat()
      refuseFailed(all)
      const newest = Math.max(...all.map(({ holding }) => holding?.epoch ?? -1))
      const behind = all.filter(
        ({ holding }) => holding?.members !== members || holding.epoch !== newest,
      )
      if (behind.length === 0) return expectOneKey(all)
      // Their own patience is over, or ours with those who see as many in another epoch.
      if (machineTime() > deadline) {
        throw new BenchError(
          'bench-members-stalled',
          `${namesOf(behind)} of ${all.length} do not see the newest epoch of ${members} members within ${this.#patienceMs} ms`,
        )
      }
      await delay(againMs)
    }
  }

  /** The leaf of each client that has come in. */
  async leaves(): Promise<ReadonlyMap<string, number | undefined>> {
    const all = (await this.#everywhere((child) => child.ask('leaves'))).flat()
    return new Map(all.map(({ name, leaf }) => [name, leaf]))
  }

  async records(): Promise<readonly ClientRecord[]> {
    return (await this.#everywhere((child) => child.ask('records'))).flat()
  }

  /** Milliseconds of CPU that all of them have used. */
  async cpuTime(): Promise<number> {
    return sum(await this.#everywhere((child) => child.ask('cpuTime')))
  }

  /** What cryptography costs while each process is at work. */
  async primitives(): Promise<PrimitiveCosts> {
    return meanCosts(await this.#everywhere((child) => child.ask('primitives')))
  }

  /** Bytes that all of them keep. */
  async memory(): Promise<number> {
    return sum(await this.#everywhere((child) => child.ask('memory')))
  }

  async stop(): Promise<void> {
    await this.#everywhere((child) => child.stop())
  }

  #everywhere<T>(ask: (child: Child<ClientQuestions>) => Promise<T>): Promise<readonly T[]> {
    return Promise.all(this.#processes.map(ask))
  }

  #processOf(name: string): Child<ClientQuestions> {
    const child =
      this.#places.get(name) ?? this.#processes[this.#places.size % this.#processes.length]
    if (child === undefined) throw new RangeError('there is no process')
    this.#places.set(name, child)
    return child
  }
}

function refuseFailed(all: readonly Standing[]): void {
  const failed = all.find((standing) => standing.failed !== undefined)
  if (failed === undefined) return
  throw new BenchError('bench-work-not-done', `${failed.name} failed: ${failed.failed}`)
}

function expectOneKey(all: readonly Standing[]): void {
  const digests = Map.groupBy(all, ({ holding }) => holding?.keyDigest)
  if (digests.size <= 1) return
  const [fewest = []] = [...digests.values()].toSorted((a, b) => a.length - b.length)
  throw new BenchError('bench-members-disagree', `${namesOf(fewest)} have another media key`)
}

function namesOf(standings: readonly Standing[]): string {
  const names = standings.slice(0, named).map(({ name }) => name)
  const more = standings.length - names.length
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ')
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
