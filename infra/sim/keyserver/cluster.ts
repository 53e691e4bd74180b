import { ConclaveError } from '@conclave/core'
import { utf8 } from '@conclave/core/codec'
import type { PublicCrypto } from '@conclave/core/crypto/public'
import type { Signer } from '@conclave/core/crypto/secret'
import {
  ContentType,
  CredentialType,
  type FramedContent,
  ProposalType,
  SenderType,
  WireFormat,
} from '@conclave/core/wire'
import { memoryDirectory, type RemovalSigner, type Store, timerJobs } from '@conclave/keyserver'
import { pino } from 'pino'
import { signFramedContent } from '../../../core/src/mls/treedem/signFramedContent.ts'
import type { VirtualClock } from '../../../core/test/virtualClock.ts'
import type { Chance } from '../chance.ts'
import type { Network } from '../network/network.ts'
import { Instance, type Shared } from './instance.ts'
import { JournaledStore, type StepListener } from './journaledStore.ts'

export interface ClusterOptions {
  readonly clock: VirtualClock
  readonly chance: Chance
  readonly network: Network
  readonly crypto: PublicCrypto
  readonly removals: Signer
  readonly instances: number
  readonly graceMs: number
  /** What stands between the instances and their store. */
  readonly store?: ((store: Store) => Store) | undefined
  readonly stepTaken: StepListener
  readonly met: (kind: string, fault: string) => void
  readonly refused: Shared['refused']
}

/** The instances of one keyserver over one store. */
export class Cluster {
  readonly journal: JournaledStore
  /** What instances have logged as errors. */
  readonly complaints: string[] = []
  readonly #options: ClusterOptions
  readonly #shared: Shared
  readonly #arrivals = new Map<string, number>()
  #instances: readonly Instance[]
  #made = 0
  #outUntil = 0
  #mutedUntil = 0

  constructor(options: ClusterOptions) {
    const { clock, chance, network, crypto, removals, graceMs, met, refused } = options
    this.#options = options
    this.journal = new JournaledStore(clock, options.stepTaken)
    const logger = pino({ level: 'error' }, { write: (line) => this.complaints.push(line.trim()) })
    const jobs = timerJobs({ clock, logger: pino({ level: 'silent' }) })
    this.#shared = {
      clock,
      crypto,
      jobs,
      logger,
      graceMs,
      directory: memoryDirectory(),
      met,
      refused,
      store: options.store?.(this.journal.store) ?? this.journal.store,
      removalSigner: removalSigner(removals),
      isStoreOut: () => clock.now() < this.#outUntil,
      isStoreSlow: (its) => its.happens(network.weather.storeSlow),
      tellOthers: (from, kind, news) => this.#tellOthers(from, kind, news),
    }
    this.#instances = Array.from({ length: options.instances }, () => this.#start())
    void jobs.start({
      // As from a queue that all instances take from.
      'check-group': async (job) => {
        const alive = this.alive
        if (alive.length === 0) throw new ConclaveError('no-instance', 'no instance is running')
        await chance.pick(alive).check(job)
      },
      'sweep-directory': async () => {},
      webhook: async () => {},
    })
  }

  get alive(): readonly Instance[] {
    return this.#instances.filter(({ isAlive }) => isAlive)
  }

  /** One of those that the client can reach. */
  reachable(client: string, chance: Chance): Instance | undefined {
    const { network } = this.#options
    const open = this.alive.filter(({ name }) => !network.isBlocked(client, name))
    return open.length === 0 ? undefined : chance.pick(open)
  }

  /** An instance dies, and another one is started after a while. */
  fail(instance: Instance, backAfterMs: number): void {
    const { clock, network } = this.#options
    instance.die()
    network.cut({ instance: instance.name }, true)
    clock.setTimer(backAfterMs, () => {
      this.#instances = [...this.alive, this.#start()]
    })
  }

  /** Nobody reaches the store for so long. */
  storeOut(ms: number): void {
    this.#outUntil = Math.max(this.#outUntil, this.#options.clock.now() + ms)
  }

  /** Instances hear nothing of each other for so long. */
  mute(ms: number): void {
    this.#mutedUntil = Math.max(this.#mutedUntil, this.#options.clock.now() + ms)
  }

  heal(): void {
    this.#outUntil = 0
    this.#mutedUntil = 0
  }

  #start(): Instance {
    const name = `instance ${this.#made++}`
    return new Instance(name, this.#shared, this.#options.chance.of(name))
  }

  /** In the order of the telling, for each of those who hear it. */
  #tellOthers(from: Instance, kind: string, news: (to: Instance) => void): void {
    const { clock, network, chance, met } = this.#options
    for (const to of this.alive) {
      if (to === from) continue
      if (clock.now() < this.#mutedUntil || chance.happens(network.weather.newsLost)) {
        met(kind, 'news lost')
        continue
      }
      const way = `${from.name} ${to.name}`
      const earliest = this.#arrivals.get(way) ?? 0
      const at = Math.max(earliest, clock.now() + network.newsLatency())
      this.#arrivals.set(way, at)
      clock.setTimer(at - clock.now(), () => {
        if (to.isAlive) news(to)
      })
    }
  }
}

/** The keyserver's own signer (keyserver/src/removalSigner.ts), but over a signer that is told when. */
export function removalSigner(signer: Signer): RemovalSigner {
  const identity = utf8('conclave keyserver')
  return {
    externalSender: {
      signatureKey: signer.publicKey,
      credential: { credentialType: CredentialType.basic, identity },
    },
    async signRemoval(group, removed) {
      const content: FramedContent = {
        groupId: group.groupId,
        epoch: group.epoch,
        sender: { senderType: SenderType.external, senderIndex: 0 },
        authenticatedData: new Uint8Array(),
        contentType: ContentType.proposal,
        proposal: { proposalType: ProposalType.remove, removed },
      }
      const wireFormat = WireFormat.publicMessage
      const signature = await signFramedContent(signer, wireFormat, content, group)
      return { content, auth: { signature } }
    },
  }
}
