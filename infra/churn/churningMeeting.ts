import { getHeapSpaceStatistics } from 'node:v8'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import type { SecretSuite } from '@conclave/core/crypto/secret'
import { nodeCrypto } from '@conclave/core/crypto/secret/node'
import { memoryDirectory, memoryStore, type Store, timerJobs } from '@conclave/keyserver'
import { pino } from 'pino'
import { VirtualClock } from '../../core/test/virtualClock.ts'
import { memoryInUse } from '../bench/measure.ts'
import { Chance, randomBytesOf } from '../sim/chance.ts'
import { whatIsMissing } from '../sim/invariants/convergence.ts'
import { removalSigner } from '../sim/keyserver/cluster.ts'
import { Instance } from '../sim/keyserver/instance.ts'
import { Network } from '../sim/network/network.ts'
import { described, type Surroundings } from '../sim/people/life.ts'
import { Person } from '../sim/people/person.ts'
import { nothingPlanted, type Plant } from '../sim/plant.ts'
import { RememberedResults } from '../sim/rememberedResults.ts'

export interface ChurnOptions {
  readonly seed: number
  /** Who are in the meeting at any time, and who come and go in their place. */
  readonly members: number
  readonly devices: number
  /** Bytes of the log that the store keeps beyond its snapshots. */
  readonly retainedBytes: number
  /** Seconds after which one comes and one leaves, again and again. */
  readonly everySeconds: number
  readonly plant?: Plant
}

/** What is to stay as it is, whoever comes and goes. */
export interface ChurnSample {
  /**
   * Of all members and the keyserver, after a full garbage collection. Code does not count: V8 goes
   * on compiling for half an hour, and that is a megabyte.
   */
  readonly 'heap bytes': number
  readonly 'log entries': number
  readonly 'log bytes': number
  /** Of all devices, in the meeting or not. */
  readonly 'session store bytes': number
  readonly timers: number
  readonly connections: number
  /** Secrets in the memory of those who are in the meeting. */
  readonly secrets: number
}

const meetingId = 'standup'
const secondMs = 1_000
/** How long members may take to be in one epoch once nobody comes or goes. */
const settleSeconds = 60
/** Every so many times a connection breaks, and its member comes back. */
const cutEvery = 7
const wholeLog = 1 << 20

/**
 * A meeting in which people come and go all the time: the SDK's sessions and the keyserver's ordering
 * over the memory store, on a virtual clock and network. Thirty minutes of it take less than that,
 * and take the same way from the same seed.
 */
export class ChurningMeeting {
  readonly clock = new VirtualClock()
  readonly #chance: Chance
  readonly #store: Store
  readonly #network: Network
  readonly #instance: Instance
  readonly #results = new RememberedResults()
  readonly #complaints: string[] = []
  readonly #people: readonly Person[]
  readonly #members: number
  /** Who stays all the time: in their sessions a leak adds up. */
  readonly #residents: ReadonlySet<Person>
  readonly #everyMs: number
  #times = 0
  /** Epochs that anybody has entered, in which group ever. */
  #epochs = 0
  #newest = -1n

  private constructor(
    { seed, members, devices, retainedBytes, everySeconds, plant = nothingPlanted }: ChurnOptions,
    signer: Awaited<ReturnType<SecretSuite['generateSigner']>>,
  ) {
    this.#members = members
    this.#everyMs = everySeconds * secondMs
    this.#chance = new Chance('churn', seed)
    const { clock } = this
    const memory = memoryStore({ retainedBytes })
    this.#store = plant.store?.(memory) ?? memory
    this.#network = new Network(clock, this.#chance.of('network'), () => {})
    const jobs = timerJobs({ clock, logger: pino({ level: 'silent' }) })
    this.#instance = new Instance(
      'instance',
      {
        clock,
        jobs,
        store: this.#store,
        crypto: this.#results.public(nodePublicCrypto({ deterministic: true })),
        removalSigner: removalSigner(signer),
        logger: pino({ level: 'error' }, { write: (line) => this.#complaints.push(line.trim()) }),
        graceMs: 10_000,
        directory: memoryDirectory(),
        isStoreOut: () => false,
        isStoreSlow: () => false,
        met: () => {},
        tellOthers: () => {},
        refused: () => {},
      },
      this.#chance.of('instance'),
    )
    void jobs.start({
      'check-group': (job) => this.#instance.check(job),
      'sweep-directory': async () => {},
      webhook: async () => {},
    })
    const around: Surroundings = {
      clock,
      chance: this.#chance.of('people'),
      network: this.#network,
      cluster: { reachable: () => this.#instance },
      meetingId,
      seams: plant.seams ?? {},
      results: this.#results,
      mayInvite: true,
      met: () => {},
      trace: () => {},
      keyInstalled: () => {},
    }
    this.#people = Array.from(
      { length: devices },
      (_, i) =>
        new Person(`p${i}`, around, {
          epochBegan: (_life, group) => {
            if (group.epoch <= this.#newest) return
            this.#newest = group.epoch
            this.#epochs += 1
          },
          invited: () => {},
          heard: () => {},
          missed: () => {},
          ended: (life, reason, error) => {
            if (reason !== 'left') {
              this.#complaints.push(`${life.name} ended: ${reason} ${error && described(error)}`)
            }
          },
          died: () => {},
          surprised: (life, error) => this.#complaints.push(`${life.name}: ${String(error)}`),
        }),
    )
    this.#residents = new Set(this.#people.slice(0, members >> 1))
  }

  static async open(options: ChurnOptions): Promise<ChurningMeeting> {
    const random = randomBytesOf('churn removals', options.seed)
    const suite = nodeCrypto({ random, deterministic: true }).secretSuite(1) as SecretSuite
    return new ChurningMeeting(options, await suite.generateSigner())
  }

  /** What went wrong so far. */
  get complaints(): readonly string[] {
    return this.#complaints
  }
  get epochs(): number {
    return this.#epochs
  }

  /** A meeting's members, a few each second, until all are in. */
  async fill(perSecond: number): Promise<void> {
    for (let i = 0; i < this.#members; i++) {
      this.#people[i]?.come()
      if (i % perSecond === perSecond - 1) await this.clock.advanceAsync(secondMs)
    }
    await this.settle()
  }

  /** Somebody comes and somebody leaves, so many times. */
  async churn(times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      this.#times += 1
      this.#somebody(({ wants }) => !wants)?.come()
      this.#oneOfUs()?.leave()
      if (this.#times % cutEvery === 0) {
        const client = this.#oneOfUs()?.life?.name
        if (client !== undefined) this.#network.cut({ client }, true)
      }
      await this.clock.advanceAsync(this.#everyMs)
      this.#results.forget()
    }
  }

  /** Until everybody who wants to is in the newest epoch; undefined once they are. */
  async settle(): Promise<string | undefined> {
    let missing: string | undefined = 'nobody has looked'
    for (let second = 0; second < settleSeconds && missing !== undefined; second++) {
      await this.clock.advanceAsync(secondMs)
      missing = await whatIsMissing(this.#people, this.#store, meetingId)
    }
    return missing
  }

  /** Everybody leaves; undefined once the group has ended. */
  async end(): Promise<string | undefined> {
    for (const person of this.#people) person.leave()
    return await this.settle()
  }

  async sample(): Promise<ChurnSample> {
    const current = await this.#store.currentGroup(meetingId)
    const key = current && { meetingId, groupId: current.groupId }
    const log = key && (await this.#store.readLog(key, 0, wholeLog))
    const lives = this.#people.flatMap(({ life }) => life ?? [])
    const secrets = lives.map(({ crypto }) =>
      [...crypto.unwiped().values()].reduce((sum, count) => sum + count, 0),
    )
    return {
      'heap bytes': (await memoryInUse()) - codeBytes(),
      'log entries': log?.entries.length ?? 0,
      'log bytes': total(
        log?.entries.map(
          ({ message, upload }) =>
            message.length + (upload?.groupInfo.length ?? 0) + (upload?.welcome?.length ?? 0),
        ) ?? [],
      ),
      'session store bytes': total(this.#people.map(({ disk }) => disk.size)),
      timers: this.clock.pendingTimers,
      connections: this.#instance.connections,
      secrets: total(secrets),
    }
  }

  #oneOfUs(): Person | undefined {
    return this.#somebody(
      (person) => person.wants && person.life?.isIn === true && !this.#residents.has(person),
    )
  }

  #somebody(suits: (person: Person) => boolean): Person | undefined {
    const those = this.#people.filter(suits)
    return those.length === 0 ? undefined : this.#chance.pick(those)
  }
}

/** Machine code and bytecode, with what belongs to them. */
function codeBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) =>
    /code|trusted/.test(space_name),
  )
  return total(spaces.map(({ space_used_size }) => space_used_size))
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}
