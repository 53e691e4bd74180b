import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { toHex } from '@conclave/core/codec'
import { systemRandom } from '@conclave/keyserver'
import { BenchError } from '../bench/benchError.ts'
import type { ProviderName } from '../bench/contestants.ts'
import type { StoreName } from '../bench/keyserver/stage.ts'
import type { AppendedEntry } from '../servers/appendedEntries.ts'
import { type Child, machineTime } from '../servers/child.ts'
import type { Traffic } from '../servers/connectionTraffic.ts'
import { startKeyserver } from '../servers/keyserver.ts'
import type { KeyserverQuestions } from '../servers/keyserverProcess.ts'
import { startRedis } from '../servers/redis.ts'
import type { Action } from './clientProcess.ts'
import type { ClientRecord, MeetingPlace } from './loadClient.ts'
import { Participants } from './participants.ts'
import { meanCosts, type PrimitiveCosts } from './primitiveCosts.ts'

export interface Workload {
  readonly store: StoreName
  /** Whether clients keep their state in files. */
  readonly files: boolean
  readonly provider: ProviderName
  readonly processes: number
  /** Seconds over which joins are spread, and in which somebody comes and somebody goes each second. */
  readonly stormSeconds: number
  readonly churnSeconds: number
  /** How many leave one after the other. */
  readonly leaves: number
  readonly patienceMs: number
  /** Planted faults, by the name of the client that has it: `member 0` is the founder. */
  readonly faults?: MeetingPlace['faults']
}

export type Phase = 'storm' | 'churn' | 'warming' | 'leaves' | 'mass'

/** What a phase took, by the machine's time in milliseconds, and who was there. */
export interface PhaseRun {
  readonly phase: Phase
  readonly startedAt: number
  readonly endedAt: number
  readonly membersBefore: number
  readonly membersAfter: number
  readonly entries: readonly AppendedEntry[]
  /** CPU milliseconds of all clients, and of the keyserver. */
  readonly clientCpu: number
  readonly keyserverCpu: number
  /** What cryptography cost just before and after it, on all cores at once. */
  readonly costs: PrimitiveCosts
  /** As the keyserver sees it. */
  readonly traffic: Traffic
}

export interface MeetingRun {
  readonly participants: number
  readonly phases: readonly PhaseRun[]
  readonly records: readonly ClientRecord[]
  /** Bytes that a client keeps once all have joined. */
  readonly memoryPerClient: number
}

/**
 * When a commit adds hundreds, more clients than this keep the machine's cores so busy with reading
 * the tree that for longer than a heartbeat of the keyserver's they answer nothing. With machines of
 * their own they would.
 */
const unstarved = 300
const starvedMs = 120_000
/** For timers to be set before the first is due. */
const leadMs = 300
/** Between leaves, so that each begins in a meeting where nothing goes on. */
const quietMs = 200
const massLeaveMs = 1_000
const second = 1_000
const progressMs = 5_000
const pollMs = 20

/**
 * A meeting from its first join to the end, with a keyserver and clients in processes of their own.
 * @throws BenchError
 */
export async function runMeeting(
  participants: number,
  workload: Workload,
  progress: (line: string) => void,
): Promise<MeetingRun> {
  const redis = workload.store === 'redis' ? await startRedis() : undefined
  const secret = toHex(systemRandom(32))
  const directory = workload.files ? await mkdtemp(join(tmpdir(), 'conclave-load-')) : undefined
  try {
    const keyserver = await startKeyserver({
      redisUrl: redis?.url,
      secret,
      limits: {},
      ...(participants > unstarved && { heartbeatMs: starvedMs }),
    })
    try {
      const place = {
        keyserver: `http://127.0.0.1:${await keyserver.ask('port')}`,
        meetingId: 'load',
        secret,
        provider: workload.provider,
        patienceMs: workload.patienceMs,
        faults: workload.faults ?? {},
        directory,
      }
      const clients = await Participants.start(place, workload.processes)
      try {
        return await new Meeting(keyserver, clients, workload, progress).run(participants)
      } finally {
        await clients.stop()
      }
    } finally {
      await keyserver.stop()
    }
  } finally {
    await redis?.stop()
    if (directory !== undefined) await rm(directory, { recursive: true })
  }
}

class Meeting {
  readonly #keyserver: Child<KeyserverQuestions>
  readonly #clients: Participants
  readonly #workload: Workload
  readonly #progress: (line: string) => void
  /** In the order in which they came. */
  readonly #members: string[] = []
  readonly #phases: PhaseRun[] = []
  #named = 0

  constructor(
    keyserver: Child<KeyserverQuestions>,
    clients: Participants,
    workload: Workload,
    progress: (line: string) => void,
  ) {
    this.#keyserver = keyserver
    this.#clients = clients
    this.#workload = workload
    this.#progress = progress
  }

  async run(participants: number): Promise<MeetingRun> {
    const { stormSeconds, churnSeconds, leaves } = this.#workload
    const before = await this.#clients.memory()
    const joins = `${participants} joins in ${stormSeconds} s`
    await this.#phase('storm', joins, () => this.#storm(participants))
    const kept = (await this.#clients.memory()) - before
    const churn = `a join and a leave each second for ${churnSeconds} s`
    await this.#phase('churn', churn, () => this.#churn())
    const renewing = 'one of each two neighbours renews its keys'
    await this.#phase('warming', renewing, () => this.#warm())
    await this.#phase('leaves', `${leaves} leaves, one after the other`, () => this.#leave())
    const staying = Math.max(2, Math.ceil(participants / 10))
    await this.#phase('mass', `all but ${staying} leave`, () => this.#massLeave(staying))
    return {
      participants,
      phases: this.#phases,
      records: await this.#clients.records(),
      memoryPerClient: kept / participants,
    }
  }

  async #phase(phase: Phase, what: string, run: () => Promise<void>): Promise<void> {
    this.#progress(`▸ ${phase}: ${what}`)
    const membersBefore = this.#members.length
    const costsBefore = await this.#clients.primitives()
    const before = await this.#readings()
    const startedAt = machineTime()
    await this.#watched(run)
    const endedAt = machineTime()
    const after = await this.#readings()
    const entries = await this.#keyserver.ask('entries')
    const commits = entries.filter(({ kind }) => kind === 'commit').length
    const seconds = ((endedAt - startedAt) / second).toFixed(1)
    const membersAfter = this.#members.length
    this.#progress(`✓ ${phase}: ${seconds} s, ${commits} commits, ${membersAfter} members`)
    this.#phases.push({
      phase,
      startedAt,
      endedAt,
      membersBefore,
      membersAfter,
      entries,
      clientCpu: after.clientCpu - before.clientCpu,
      keyserverCpu: after.keyserverCpu - before.keyserverCpu,
      costs: meanCosts([costsBefore, await this.#clients.primitives()]),
      traffic: {
        received: after.traffic.received - before.traffic.received,
        sent: after.traffic.sent - before.traffic.sent,
      },
    })
  }

  /** Says now and then how far it has come. */
  async #watched(run: () => Promise<void>): Promise<void> {
    const ended = new AbortController()
    const watching = (async () => {
      for (;;) {
        await delay(progressMs, undefined, { signal: ended.signal })
        this.#progress(`  ${await this.#keyserver.ask('commits')} commits so far`)
      }
    })().catch((error: unknown) => {
      if (!ended.signal.aborted) throw error
    })
    try {
      await run()
    } finally {
      ended.abort()
      await watching
    }
  }

  async #readings() {
    const clientCpu = await this.#clients.cpuTime()
    const keyserverCpu = await this.#keyserver.ask('cpuTime')
    return { clientCpu, keyserverCpu, traffic: await this.#keyserver.ask('traffic') }
  }

  async #storm(participants: number): Promise<void> {
    const begin = machineTime() + leadMs
    const everyMs = (this.#workload.stormSeconds * second) / participants
    await this.#act(
      Array.from({ length: participants }, (_, i) => this.#joining(begin + i * everyMs)),
    )
  }

  async #churn(): Promise<void> {
    const begin = machineTime() + leadMs
    const actions: Action[] = []
    for (let i = 0; i < this.#workload.churnSeconds; i++) {
      const at = begin + i * second
      actions.push(this.#leaving(1, at + second / 2), this.#joining(at))
    }
    await this.#act(actions)
  }

  /**
   * The tree of a meeting that has gone on for ten minutes, in which everybody renews its keys: no
   * parent is blank. One commit beneath each of the lowest parents fills all of them.
   */
  async #warm(): Promise<void> {
    const leaves = await this.#clients.leaves()
    const neighbours = Map.groupBy(this.#members, (name) => (leaves.get(name) ?? 0) >> 1)
    for (const [name = ''] of neighbours.values()) {
      const before = await this.#keyserver.ask('commits')
      const deadline = machineTime() + this.#workload.patienceMs
      await this.#clients.act([{ kind: 'renew', name, at: 0 }])
      while ((await this.#keyserver.ask('commits')) === before) {
        if (machineTime() > deadline) {
          throw new BenchError('bench-members-stalled', `${name} does not renew its keys`)
        }
        await delay(pollMs)
      }
      await this.#clients.settle(this.#members.length)
    }
  }

  /** All over the tree. */
  async #leave(): Promise<void> {
    for (let left = this.#workload.leaves; left > 0 && this.#members.length > 2; left--) {
      await delay(quietMs)
      const index = Math.floor((this.#members.length * left) / (this.#workload.leaves + 1))
      await this.#act([this.#leaving(Math.max(1, index), 0)])
    }
  }

  async #massLeave(staying: number): Promise<void> {
    const begin = machineTime() + leadMs
    const leaving = this.#members.length - staying
    await this.#act(
      Array.from({ length: leaving }, (_, i) =>
        this.#leaving(1, begin + (i * massLeaveMs) / leaving),
      ),
    )
  }

  /** Until all of it is done and everybody who is there has seen it. */
  async #act(actions: readonly Action[]): Promise<void> {
    await this.#clients.act(actions)
    await this.#clients.settle(this.#members.length)
  }

  #joining(at: number): Action {
    const name = `member ${this.#named++}`
    this.#members.push(name)
    return { kind: 'join', name, at }
  }

  #leaving(index: number, at: number): Action {
    const [name] = this.#members.splice(index, 1)
    if (name === undefined) throw new RangeError('nobody is left who could leave')
    return { kind: 'leave', name, at }
  }
}
