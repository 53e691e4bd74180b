import { setTimeout as pause } from 'node:timers/promises'
import { ConclaveError } from '@conclave/core'
import { checkMs, joiningMs } from '../../src/limits.ts'
import type { LogRecord, Store } from '../../src/store/store.ts'
import { StoreError } from '../../src/store/storeError.ts'
import { eventually } from '../support/eventually.ts'
import { Attendee, type Trouble } from './attendee.ts'
import type { Chance } from './chance.ts'
import { findings, gatherEvidence } from './findings.ts'
import { Observations } from './observations.ts'
import type { Wire } from './wire.ts'

/** What a join, or agreeing after a fault, takes here at most when all is well. */
const expectedMs = 3_000
/**
 * The longest that a member is kept whom nobody speaks for: it was added, and then the instance died
 * that would have told whether its connection stands.
 */
const longestUnspokenForMs = joiningMs + checkMs
/** Visitors who come and go at the same time. */
const lanes = 2

/** Where a crowd meets. */
export interface Ground {
  readonly store: Store
  /** What becomes of requests now. */
  readonly trouble: Trouble | undefined
  /** What servers have said that they should not. */
  readonly complaints: readonly string[]
  token(identity: string, meetingId: string): Promise<string>
  /** A way of one's own to the keyserver, to any instance of it that chance has for a connection. */
  wire(chance: Chance): Promise<Wire>
}

/** The people of one meeting: regulars who stay, and visitors who come and go as long as told. */
export class Crowd {
  readonly meetingId: string
  readonly observations = new Observations()
  readonly #ground: Ground
  readonly #ceilingMs: number
  readonly #here = new Map<string, Attendee>()
  /** Who has left. */
  readonly #gone = new Set<string>()
  /** Whom the meeting did not take, or did not keep. */
  readonly #outcasts: string[] = []
  #others: readonly string[] = []
  #earlier: readonly LogRecord[] = []
  #newcomer: Attendee | undefined
  #arrivals = 0
  #slowestJoinMs = 0

  constructor(ground: Ground, meetingId: string, options: { readonly ceilingMs?: number } = {}) {
    this.#ground = ground
    this.meetingId = meetingId
    this.#ceilingMs = options.ceilingMs ?? 10 * expectedMs
  }

  get figures() {
    const slowestJoinMs = Math.round(this.#slowestJoinMs)
    return { arrivals: this.#arrivals, slowestJoinMs, entries: this.#earlier.length }
  }

  /** People who are in the meeting, too, and not of the crowd. */
  expect(others: readonly string[]): void {
    this.#others = others
  }

  async gather(chance: Chance, count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#arrive(chance.of('regular', i))
    await this.settled()
  }

  /** Lets visitors come and go until told to stop; resolves then when the last has gone. */
  load(chance: Chance): () => Promise<void> {
    let stopped = false
    const visits = async (lane: Chance) => {
      for (let visit = 0; !stopped; visit++) await this.#visit(lane.of(visit))
    }
    const newcomer = this.#newcomer
    this.#newcomer = undefined
    const all = Promise.all([
      ...Array.from({ length: lanes }, (_, lane) => visits(chance.of('lane', lane))),
      newcomer && this.#leave(newcomer),
    ])
    return async () => {
      stopped = true
      await this.#inTime('visitors', all)
    }
  }

  /** Somebody who comes after all that has happened, and stays until there is load again. */
  async letIn(chance: Chance): Promise<void> {
    this.#newcomer = await this.#inTime('a newcomer', this.#arrive(chance))
  }

  /**
   * Waits until everybody who is here is in the group's newest epoch and sees the same people.
   * @param options `alone`: and nobody else, not even who could not say goodbye
   */
  async settled(options: { readonly alone?: boolean } = {}): Promise<void> {
    let missing: readonly string[] = []
    try {
      await eventually(
        'agreement',
        async () => {
          missing = await this.#missing(options.alone === true)
          return missing.length === 0
        },
        options.alone === true ? this.#ceilingMs + longestUnspokenForMs : this.#ceilingMs,
      )
    } catch (error) {
      throw new Error(`${this.meetingId}: nobody can wait longer\n${missing.join('\n')}`, {
        cause: error,
      })
    }
  }

  /** What is wrong with all that has happened. */
  async findings(): Promise<readonly string[]> {
    const { meetingId, observations } = this
    const evidence = await gatherEvidence(this.#ground.store, meetingId, observations)
    const found = findings({ ...evidence, earlier: this.#earlier })
    this.#earlier = evidence.log
    return [...found, ...this.#outcasts, ...this.#ground.complaints]
  }

  async disperse(): Promise<void> {
    await Promise.all([...this.#here.values()].map((attendee) => attendee.leave()))
  }

  async #visit(chance: Chance): Promise<void> {
    const visitor = await this.#arrive(chance)
    if (visitor === undefined) return
    await pause(chance.between(0, 300))
    await this.#leave(visitor)
  }

  async #arrive(chance: Chance): Promise<Attendee | undefined> {
    const who = `person ${this.#arrivals++}`
    const { meetingId, observations } = this
    const wire = await this.#ground.wire(chance)
    const began = performance.now()
    try {
      const attendee = await Attendee.join(who, {
        meetingId,
        observations,
        wire,
        token: () => this.#ground.token(who, meetingId),
        trouble: () => this.#ground.trouble,
      })
      this.#here.set(who, attendee)
      this.#slowestJoinMs = Math.max(this.#slowestJoinMs, performance.now() - began)
      return attendee
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
      this.#outcasts.push(`${who} could not join: ${error.code} ${error.message}`)
      wire.close()
      return undefined
    }
  }

  async #leave(visitor: Attendee): Promise<void> {
    const { who, ended } = visitor
    if (ended !== undefined) this.#outcasts.push(`${who} was out before leaving: ${ended}`)
    this.#here.delete(who)
    await visitor.leave()
    this.#gone.add(who)
  }

  async #missing(alone: boolean): Promise<readonly string[]> {
    const group = await this.#group()
    if (group === undefined) return ['the group cannot be read']
    const first = [...this.#here.values()][0]?.view
    const missing: string[] = []
    for (const { who, view, ended } of this.#here.values()) {
      if (ended !== undefined) missing.push(`${who} is out: ${ended}`)
      else if (view.epoch !== group.epoch) {
        missing.push(`${who} is in epoch ${view.epoch}, not ${group.epoch}`)
      } else if (view.safetyCode !== first?.safetyCode || view.roster !== first.roster) {
        missing.push(`${who} does not see what others see`)
      }
    }
    const strangers = new Set(first?.roster.split(','))
    for (const who of [...this.#here.keys(), ...this.#others]) {
      if (!strangers.delete(who)) missing.push(`${who} is not in the group`)
    }
    for (const who of strangers) {
      const excused = this.#gone.has(who) && !this.observations.goodbyes.has(who)
      if (alone || !excused) missing.push(`${who} is in the group still`)
    }
    for (const { who, what } of this.observations.open) missing.push(`${who} waits: ${what}`)
    return missing
  }

  async #group() {
    try {
      return (await this.#ground.store.currentGroup(this.meetingId)) ?? undefined
    } catch (error) {
      if (error instanceof StoreError) return undefined
      throw error
    }
  }

  /** @throws where it takes longer than anybody should wait */
  async #inTime<T>(what: string, work: Promise<T>): Promise<T> {
    const given = new AbortController()
    const late = pause(this.#ceilingMs, undefined, { signal: given.signal }).then(() => {
      const waits = this.observations.open.map((one) => `${one.who} waits: ${one.what}`)
      throw new Error(`${this.meetingId}: ${what} cannot wait longer\n${waits.join('\n')}`)
    })
    late.catch(() => {})
    try {
      return await Promise.race([work, late])
    } finally {
      given.abort()
    }
  }
}
