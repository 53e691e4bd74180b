import { expect, onTestFinished } from 'vitest'
import { VirtualClock } from '../../../../core/test/virtualClock.ts'
import { type JoinOptions, SecureMeeting } from '../../../src/index.ts'
import { Census, platformIsIdle } from './census.ts'
import { TestDelivery } from './delivery.ts'
import { Ordering } from './ordering.ts'
import type { Port } from './port.ts'
import { Witness } from './witness.ts'

export interface Client {
  readonly meeting: SecureMeeting
  readonly witness: Witness
  readonly census: Census
  readonly port: Port
}

/** A join that is under way. */
export interface Joining {
  readonly port: Port
  readonly census: Census
  client: Client | undefined
  /** The error's `code`, or `code detail`. */
  failure: string | undefined
  onFailure: (error: Error) => void
}

/** The real time that something may take on a loaded machine, in milliseconds. */
const patienceMs = 20_000

/** A virtual clock that can be moved straight to where something happens. */
class SteppingClock extends VirtualClock {
  readonly #due = new Set<{ readonly at: number }>()

  /** Milliseconds until the next timer falls due; undefined where there is none. */
  get untilNext(): number | undefined {
    const next = Math.min(...[...this.#due].map(({ at }) => at))
    return Number.isFinite(next) ? next - this.now() : undefined
  }

  override setTimer(delayMs: number, callback: () => void): () => void {
    const due = { at: this.now() + Math.max(0, delayMs) }
    this.#due.add(due)
    const cancel = super.setTimer(delayMs, () => {
      this.#due.delete(due)
      callback()
    })
    return () => {
      this.#due.delete(due)
      cancel()
    }
  }
}

/**
 * Sessions on a clock that moves only when nothing else is going on, over a keyserver whose every
 * answer can be changed. Afterwards it checks what holds for every session, however it ended.
 */
export class Room {
  readonly clock = new SteppingClock()
  readonly census = new Census()
  readonly delivery: TestDelivery
  readonly #ordering: Ordering | undefined
  readonly #joinings: Joining[] = []

  private constructor(keyserver: 'the least' | 'the real one') {
    this.delivery = new TestDelivery(this.clock, this.census.crypto)
    this.#ordering =
      keyserver === 'the least' ? undefined : new Ordering(this.clock, this.census.crypto)
  }

  /** @param keyserver `the real one` in place of `delivery`: without a network, on the room's clock */
  static open(keyserver: 'the least' | 'the real one' = 'the least'): Room {
    const room = new Room(keyserver)
    onTestFinished(() => room.#close())
    return room
  }

  /** Starts to join as `identity`; `prepare` may make the way to the keyserver lie. */
  begin(
    identity: string,
    prepare: (port: Port) => void = () => {},
    options: Partial<JoinOptions> = {},
  ): Joining {
    const census = new Census()
    const port = (this.#ordering ?? this.delivery).port()
    port.identity = identity
    const joining: Joining = {
      port,
      census,
      client: undefined,
      failure: undefined,
      onFailure: () => {},
    }
    this.#joinings.push(joining)
    prepare(port)
    SecureMeeting.join({
      keyserver: 'unused',
      meetingId: this.delivery.meetingId,
      token: 'unused',
      identity: { id: identity },
      trust: { policy: 'open' },
      clock: this.clock,
      crypto: census.crypto,
      transport: () => port,
      ...options,
    }).then(
      (meeting) => {
        joining.client = { meeting, witness: new Witness(meeting), census, port }
      },
      (error: Error & { code?: string; detail?: string }) => {
        const { code = error.message, detail } = error
        joining.onFailure(error)
        joining.failure = detail === undefined ? code : `${code} ${detail}`
      },
    )
    return joining
  }

  async join(
    identity: string,
    prepare?: (port: Port) => void,
    options?: Partial<JoinOptions>,
  ): Promise<Client> {
    const joining = this.begin(identity, prepare, options)
    await this.until(() => joining.client !== undefined || joining.failure !== undefined)
    if (joining.client === undefined) throw new Error(`${identity}: ${joining.failure}`)
    return joining.client
  }

  /** How a join fails: `code detail`. */
  async refusalOf(
    identity: string,
    prepare: (port: Port) => void,
    options?: Partial<JoinOptions>,
  ): Promise<string> {
    const joining = this.begin(identity, prepare, options)
    await this.until(() => joining.client !== undefined || joining.failure !== undefined)
    return joining.failure ?? 'joined'
  }

  /** A meeting of these, in one epoch. */
  async meetingOf(...names: readonly string[]): Promise<Client[]> {
    const clients: Client[] = []
    for (const name of names) clients.push(await this.join(name))
    await this.agreed(clients, names)
    return clients
  }

  /** Waits until they are in one epoch with these members. */
  async agreed(clients: readonly Client[], names: readonly string[]): Promise<void> {
    const expected = [...names].sort().join()
    await this.until(() => {
      const views = clients.map(({ meeting: { view } }) => view)
      return (
        new Set(views.map(({ epoch, safetyCode }) => `${epoch} ${safetyCode}`)).size === 1 &&
        views.every(
          ({ members }) =>
            members
              .map((m) => m.identity)
              .sort()
              .join() === expected,
        )
      )
    })
  }

  /** Lets time pass until the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + patienceMs
    for (;;) {
      await this.rest()
      if (condition()) return
      if (Date.now() > deadline) throw new Error('waited in vain')
      this.clock.advance(this.clock.untilNext ?? 0)
    }
  }

  /** Lets this much time pass. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    for (;;) {
      await this.rest()
      const { untilNext = ms } = this.clock
      if (this.clock.now() + untilNext > end) break
      this.clock.advance(untilNext)
    }
    this.clock.advance(end - this.clock.now())
  }

  /** Waits, with the clock standing still, until nothing goes on any more. */
  async rest(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise((resolve) => setImmediate(resolve))
      quiet = platformIsIdle() ? quiet + 1 : 0
    }
  }

  async #close(): Promise<void> {
    const leaving = new Set<Client>()
    await this.until(() => {
      for (const { client } of this.#joinings) {
        if (client !== undefined && !leaving.has(client)) void client.meeting.leave()
        if (client !== undefined) leaving.add(client)
      }
      return this.#joinings.every(
        ({ client, failure }) => failure !== undefined || client?.witness.ended.length === 1,
      )
    })
    await this.pass(100)
    await this.#ordering?.close()
    for (const { client, census, port } of this.#joinings) {
      expect(client?.witness.ended.length ?? 1, 'how often it has ended').toBe(1)
      expect(client?.witness.late ?? [], 'events after the last').toEqual([])
      expect(census.left, 'secrets that were not wiped').toBe(0)
      expect(port.closed, 'the transport is closed').toBe(true)
    }
    expect(this.clock.pendingTimers, 'timers that are left').toBe(0)
  }
}
