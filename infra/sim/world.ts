import type { EndReason } from '@conclave/client'
import type { ConclaveError } from '@conclave/core'
import { equalBytes } from '@conclave/core/codec'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import type { SecretSuite } from '@conclave/core/crypto/secret'
import { nodeCrypto } from '@conclave/core/crypto/secret/node'
import { meetingPolicy } from '@conclave/core/meeting'
import type { CommitEffect, Group } from '@conclave/core/mls/group'
import { VirtualClock } from '../../core/test/virtualClock.ts'
import { Chance, randomBytesOf } from './chance.ts'
import { Coverage } from './coverage.ts'
import { Agreement } from './invariants/agreement.ts'
import { whatIsMissing } from './invariants/convergence.ts'
import { Conversation } from './invariants/conversation.ts'
import { checkInvited } from './invariants/invited.ts'
import { LeafAges } from './invariants/leafAges.ts'
import { LogHistory } from './invariants/logHistory.ts'
import { checkLog } from './invariants/logLine.ts'
import { Outsiders } from './invariants/outsiders.ts'
import { checkClosed, checkEnded, checkHeldSecrets } from './invariants/secrets.ts'
import { checkWiped, StoredSecrets } from './invariants/stored.ts'
import { Cluster } from './keyserver/cluster.ts'
import { Network } from './network/network.ts'
import { described, type Life, type Surroundings } from './people/life.ts'
import { Person } from './people/person.ts'
import type { Plan } from './plan.ts'
import { nothingPlanted, type Plant } from './plant.ts'
import { RememberedResults } from './rememberedResults.ts'
import { Violation } from './violation.ts'
import { weatherOf } from './weather.ts'

const meetingId = 'standup'
/** How long nobody looks, in milliseconds. */
const longestUnseenMs = 60_000
/** How often is looked whether all is well again, in milliseconds. */
const lookMs = 1_000

/** Everything that a run simulates, and what is known of it. */
export class World {
  readonly clock = new VirtualClock()
  readonly coverage = new Coverage()
  readonly trace: string[] = []
  readonly network: Network
  readonly cluster: Cluster
  /** How long a member may be without a connection, in milliseconds. */
  readonly graceMs: number
  /** The last of them comes when faults have stopped. */
  readonly people: readonly Person[]
  readonly #began = this.clock.now()
  readonly #history = new LogHistory((undone) => {
    this.coverage.count('voids')
    this.#guard(() => this.#agreement.checkVoid(undone))
  })
  readonly #agreement = new Agreement(this.#history)
  readonly #outsiders: Outsiders | undefined
  readonly #conversation = new Conversation()
  readonly #leafAges = new LeafAges()
  readonly #stored = new StoredSecrets()
  readonly #groups = new Map<Life, Group>()
  readonly #ended = new Set<Life>()
  #violation: Violation | undefined
  /** Whether something has been done that may leave a session without a way on. */
  #mayFail = false

  private constructor(plan: Plan, plant: Plant, removals: Awaited<ReturnType<typeof signerOf>>) {
    const { seed, members } = plan
    const chance = new Chance('run', seed)
    const { clock } = this
    const results = new RememberedResults()
    const met = (kind: string, fault: string) => this.coverage.met(kind, fault)
    this.network = new Network(clock, chance.of('network'), met)
    this.network.weather = weatherOf(chance.of('weather'))
    // With the longer one a device may sleep without losing its place.
    this.graceMs = chance.of('grace').happens(0.2) ? 90_000 : 10_000
    this.cluster = new Cluster({
      clock,
      chance: chance.of('cluster'),
      network: this.network,
      crypto: results.public(nodePublicCrypto({ deterministic: true })),
      removals,
      instances: chance.of('instances').whole(1, 3),
      graceMs: this.graceMs,
      store: plant.store,
      stepTaken: (...step) => this.#history.stepTaken(...step),
      met,
      refused: (request, code, detail) => {
        const rule = detail === undefined ? code : `${code} ${detail}`
        this.coverage.count(`refused: ${request} ${rule}`)
      },
    })
    if (chance.of('outsiders').happens(0.25)) {
      const crypto = nodeCrypto({ random: randomBytesOf('outsiders', seed), deterministic: true })
      const environment = {
        crypto: plant.seams?.crypto?.(crypto, 'outsiders') ?? crypto,
        clock,
        policy: meetingPolicy({ meetingId, trust: { policy: 'open' } }),
      }
      this.#outsiders = new Outsiders(environment, this.#history)
    }
    const around: Surroundings = {
      clock,
      chance: chance.of('people'),
      network: this.network,
      cluster: this.cluster,
      meetingId,
      seams: plant.seams ?? {},
      results,
      mayInvite: plan.steps.some(({ action }) => action === 'invite'),
      met,
      trace: (line) => this.note(line),
      keyInstalled: (cryptor, key) => this.#guard(() => this.#agreement.installed(cryptor, key)),
    }
    this.people = Array.from(
      { length: members + 1 },
      (_, i) =>
        new Person(i < members ? `p${i}` : 'newcomer', around, {
          epochBegan: (life, group, effect) => this.#epochBegan(life, group, effect),
          invited: () => this.coverage.count('came by invitation'),
          heard: (life, leaf, text) => {
            this.coverage.count('messages heard')
            this.#guard(() => this.#conversation.heard(life, life.group, leaf, text))
          },
          missed: (life, leaf, count) => {
            this.coverage.count('messages known to be missing', count)
            this.#conversation.missed(life, leaf, count)
          },
          ended: (life, reason, error) => this.#sessionEnded(life, reason, error),
          died: (life) => this.#died(life),
          surprised: (life, error) => this.#fail(unexpected(life.name, error)),
        }),
    )
  }

  static async open(plan: Plan, plant: Plant = nothingPlanted): Promise<World> {
    return new World(plan, plant, await signerOf(plan))
  }

  get violation(): Violation | undefined {
    return this.#violation
  }

  get figures(): Readonly<Record<string, number>> {
    return { ...this.#agreement.figures, keptOut: this.#outsiders?.keptOut ?? 0 }
  }

  note(line: string): void {
    this.trace.push(`${((this.clock.now() - this.#began) / 1000).toFixed(3)} ${line}`)
  }

  /** Lets time pass, and looks now and then whether everything is as it should be. */
  async pass(ms: number): Promise<void> {
    let left = ms
    for (; left > longestUnseenMs; left -= longestUnseenMs) await this.#passUnseen(longestUnseenMs)
    await this.#passUnseen(left)
  }

  async #passUnseen(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms)
    await this.#guardAsync(async () => {
      await checkLog(this.cluster.journal.store, meetingId)
      for (const { life } of this.people) if (life !== undefined) checkHeldSecrets(life)
      for (const life of this.#ended) checkEnded(life)
      this.#ended.clear()
      for (const person of this.people) {
        checkWiped(person, this.clock.now())
        this.#stored.check(person)
      }
      this.#leafAges.check(this.clock.now())
      const [complaint] = this.cluster.complaints
      if (complaint !== undefined) throw new Violation('keyserver-error', complaint)
    })
  }

  /** Lets time pass until everybody who wants to is in the newest epoch, and nobody else is. */
  async settle(mostMs: number, check: string): Promise<void> {
    for (let ms = 0; this.#violation === undefined; ms += lookMs) {
      const missing = await whatIsMissing(this.people, this.cluster.journal.store, meetingId)
      if (missing === undefined) return
      if (ms >= mostMs) return this.#fail(new Violation(check, missing))
      await this.pass(lookMs)
    }
  }

  /** Somebody says so many things, one right after the other. */
  say({ life }: Person, times: number): void {
    for (let time = 0; time < times && life?.isIn; time++) {
      const text = this.#conversation.textOf(life)
      this.coverage.count('messages said')
      void life.say(text).then((passed) => {
        if (passed) this.#conversation.passed(text)
      })
    }
  }

  /** A member adds somebody who is away, by a KeyPackage that has been published. */
  invite({ life }: Person, guest: Person): void {
    if (life?.isIn !== true) return
    this.coverage.count('invitations')
    void life.invite(guest.identity).then((added) => {
      if (added) this.#guard(() => checkInvited(life, guest.identity))
    })
  }

  /** What can be said of a conversation when it is over. */
  checkConversation(): void {
    this.#guard(() => this.#conversation.checkAll())
  }

  /** No more faults: what they have done is there, and nothing is added but a newcomer. */
  calmDown(): void {
    this.network.heal()
    this.cluster.heal()
    for (const { life } of this.people) life?.spare()
    this.people.at(-1)?.come()
  }

  /** What is sealed for these arrives damaged, once. */
  damage(people: readonly Person[]): void {
    this.#mayFail = true
    for (const { life } of people) if (life !== undefined) life.crypto.damaging = 1
  }

  async steal({ life }: Person): Promise<void> {
    const outsiders = this.#outsiders
    if (life === undefined || outsiders === undefined) return
    await this.#guardAsync(() => outsiders.rob(life))
  }

  /** The store fails over to a replica that lacks what was done lately, in milliseconds. */
  async loseLately(ms: number, options: { readonly butPresence: boolean }): Promise<void> {
    this.#mayFail = true
    const { journal } = this.cluster
    const before = await journal.store.currentGroup(meetingId)
    journal.lose(ms, options)
    const after = await journal.store.currentGroup(meetingId)
    const isSame = before !== null && after !== null && equalBytes(before.groupId, after.groupId)
    if (before !== null && !isSame) this.#history.lost(before, -1)
    // A group that had ended may be there again. Where nobody who was in it is left, nobody can
    // know which of its epochs there have been.
    if (after !== null && !(isSame && before.head === after.head)) {
      this.#history.lost(after, after.epoch)
    }
    const heads = [before, after].map((group) => group?.head ?? 'none')
    this.note(`the store lost ${ms} ms: its head was ${heads.join(' and is ')}`)
  }

  /** Has the meeting go on in another group, where its author may die as soon as others know. */
  reinitialise(who: Person, chance: Chance): void {
    const { life } = who
    if (life === undefined || !life.isIn) return
    const suite = chance.pick([1, 3])
    if (chance.happens(0.4)) {
      who.crash(
        { arrivals: chance.magnitude(1, 30), turns: chance.magnitude(1, 300) },
        chance.between(200, 20_000),
      )
    }
    void life.reinitialise(suite).then((done) => {
      this.coverage.count(done ? 'meetings reinitialised' : 'meetings not reinitialised')
    })
  }

  #epochBegan(life: Life, group: Group, effect: CommitEffect | undefined): void {
    this.note(`${life.name} is leaf ${group.leafIndex} in epoch ${group.epoch}`)
    this.coverage.count(effect === undefined ? 'groups entered' : 'epochs entered')
    const before = this.#groups.get(life)
    this.#groups.set(life, group)
    this.#leafAges.epochBegan(life, group, this.clock.now())
    this.#stored.epochBegan(life, group)
    if (effect === undefined) this.#conversation.entered(life)
    this.#guard(() => {
      this.#agreement.observe(life, group)
      if (before !== undefined) checkClosed(before, `${life.name} in a later epoch`)
      this.#outsiders?.remember(life, group)
    })
    const outsiders = this.#outsiders
    if (outsiders === undefined || effect === undefined) return
    void this.#guardAsync(() => outsiders.passed(group, effect))
  }

  #sessionEnded(life: Life, reason: EndReason, error: ConclaveError | undefined): void {
    this.coverage.count(`ended: ${reason}${error === undefined ? '' : ` ${described(error)}`}`)
    this.#ended.add(life)
    const group = this.#groups.get(life)
    this.#guard(() => {
      if (error?.code === 'session-ended') throw unexpected(life.name, error.cause)
      if (error !== undefined && !this.#mayEndBy(error)) {
        throw new Violation('failed-without-cause', `${life.name}: ${described(error)}`)
      }
      if (group !== undefined) checkClosed(group, `${life.name}, whose session has ended,`)
    })
    this.#gone(life)
  }

  /** Of what was lost a session says what it means: a refusal by itself ends none. */
  #mayEndBy({ code }: ConclaveError): boolean {
    return ordinaryEnds.includes(code) || (this.#mayFail && code !== 'keyserver-refused')
  }

  #died(life: Life): void {
    this.coverage.count('processes dead')
    this.#gone(life)
  }

  #gone(life: Life): void {
    this.#groups.delete(life)
    this.#leafAges.gone(life)
    const outsiders = this.#outsiders
    if (outsiders !== undefined) void this.#guardAsync(() => outsiders.gone(life))
  }

  #guard(look: () => void): void {
    try {
      look()
    } catch (error) {
      this.#fail(error)
    }
  }

  async #guardAsync(look: () => Promise<void>): Promise<void> {
    try {
      await look()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    const violation = error instanceof Violation ? error : unexpected('the simulator', error)
    this.note(`✗ ${violation.check}: ${violation.message}`)
    this.#violation ??= violation
  }
}

/** How sessions may end without any of what loses state: nobody let them in, or the group ended. */
const ordinaryEnds = ['join-timeout', 'meeting-closed']

async function signerOf({ seed }: Plan) {
  const crypto = nodeCrypto({ random: randomBytesOf('removals', seed), deterministic: true })
  return await (crypto.secretSuite(1) as SecretSuite).generateSigner()
}

function unexpected(who: string, error: unknown): Violation {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return new Violation('unexpected-error', `${who}: ${detail}`)
}
