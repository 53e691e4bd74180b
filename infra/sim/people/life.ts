import type { DeliveryTransport, EndReason, Invitation, SessionStore } from '@conclave/client'
import { type Clock, ConclaveError } from '@conclave/core'
import type { SecretCrypto } from '@conclave/core/crypto/secret'
import { nodeCrypto } from '@conclave/core/crypto/secret/node'
import type { CommitEffect, Group } from '@conclave/core/mls/group'
import { MeetingKeys } from '../../../client-sdk/src/session/meetingKeys.ts'
import { MeetingSession } from '../../../client-sdk/src/session/meetingSession.ts'
import { SessionError } from '../../../client-sdk/src/session/sessionError.ts'
import type { VirtualClock } from '../../../core/test/virtualClock.ts'
import { type Chance, randomBytesOf } from '../chance.ts'
import { GuardedClock } from '../guardedClock.ts'
import type { Cluster } from '../keyserver/cluster.ts'
import type { Network } from '../network/network.ts'
import type { RememberedResults } from '../rememberedResults.ts'
import type { DeviceClock, Sleep } from './deviceClock.ts'
import type { Disk } from './disk.ts'
import { LifeCrypto } from './lifeCrypto.ts'
import { type KeyListener, recordedCryptor } from './recordedCryptor.ts'
import { SimTransport } from './transport.ts'

/** As SecureMeeting.join has it, in milliseconds. */
const joinTimeoutMs = 60_000
const reinitialiseTimeoutMs = 60_000

/** What a process of the application's is started with. */
export interface Surroundings {
  readonly clock: VirtualClock
  readonly chance: Chance
  readonly network: Network
  readonly cluster: Pick<Cluster, 'reachable'>
  readonly meetingId: string
  /** What stands between a process and its parameters, to see that somebody notices. */
  readonly seams: Seams
  readonly results: RememberedResults
  /** Whether anybody may add somebody who is away: otherwise nobody publishes KeyPackages. */
  readonly mayInvite: boolean
  readonly met: (kind: string, fault: string) => void
  readonly trace: (line: string) => void
  readonly keyInstalled: KeyListener
}

export interface Seams {
  readonly transport?: (transport: DeliveryTransport, life: Life) => DeliveryTransport
  readonly sessionStore?: (store: SessionStore, life: Life) => SessionStore
  readonly crypto?: (crypto: SecretCrypto, name: string) => SecretCrypto
  readonly clock?: (clock: Clock, life: Life) => Clock
}

export interface LifeEvents {
  epochBegan(life: Life, group: Group, effect: CommitEffect | undefined): void
  /** The application shows what the member at a leaf has said, or that it lacks some of that. */
  heard(life: Life, leaf: number, text: string): void
  missed(life: Life, leaf: number, count: number): void
  ended(life: Life, reason: EndReason, error: ConclaveError | undefined): void
  died(life: Life): void
  /** Something was thrown at the application that nothing announces. */
  surprised(life: Life, error: unknown): void
}

/** What a process runs on, and what outlives it. */
export interface Device {
  readonly clock: DeviceClock
  readonly disk: Disk
  /** What to enter by, where somebody has added it while it was away. */
  readonly invitation?: Invitation
}

/** Where a process is to die. */
export type Fate =
  /** So many turns after so many more things have reached it. */
  | { readonly arrivals: number; readonly turns: number }
  /** In one of its next writes, before or after that is there. */
  | { readonly writes: number; readonly isThere: boolean }

/**
 * One run of the application on one device: a session with its media keys, as SecureMeeting puts
 * them together, from joining to its end or to the crash of its process.
 */
export class Life {
  readonly identity: string
  readonly name: string
  readonly crypto: LifeCrypto
  readonly transport: SimTransport
  readonly #around: Surroundings
  readonly #device: DeviceClock
  readonly #clock: GuardedClock
  readonly #session: MeetingSession
  readonly #events: LifeEvents
  #keys: MeetingKeys
  #group: Group | undefined
  #cancelTimeout: () => void
  #fate: Fate | undefined
  #isAlive = true
  #endedAt: number | undefined
  #wasIn = false
  #hasConnected = false

  constructor(
    identity: string,
    nth: number,
    { clock, disk, invitation }: Device,
    around: Surroundings,
    events: LifeEvents,
  ) {
    this.identity = identity
    this.name = `${identity}#${nth}`
    this.#around = around
    this.#events = events
    const { chance, network, cluster, met, seams, meetingId } = around
    this.#device = clock
    this.#clock = new GuardedClock(clock, () => this.#arrived())
    const random = randomBytesOf(chance.of('keys', this.name).whole(0, 2 ** 30), this.name)
    const platform = nodeCrypto({ random, deterministic: true })
    this.crypto = new LifeCrypto(around.results.secret(platform))
    const crypto = seams.crypto?.(this.crypto, this.name) ?? this.crypto
    const store = disk.storeOf(
      () => this.#isAlive,
      (isThere) => this.#writing(isThere),
    )
    const mine = seams.sessionStore?.(store, this) ?? store
    this.transport = new SimTransport({
      name: this.name,
      identity,
      clock,
      chance: chance.of('transport', this.name),
      network,
      cluster,
      met,
      arrived: () => this.#arrived(),
      trace: (line) => around.trace(`${this.name} ${line}`),
    })
    this.#keys = this.#newKeys()
    this.#session = new MeetingSession(
      {
        meetingId,
        identity: { id: identity },
        trust: { policy: 'open' },
        invitation,
        environment: {
          clock: seams.clock?.(this.#clock, this) ?? this.#clock,
          random,
          crypto,
          store: mine,
        },
      },
      seams.transport?.(this.transport, this) ?? this.transport,
      {
        epochBegan: (group, effect) => this.#epochBegan(group, effect),
        continued: (group) => this.#continued(group),
        connectionChanged: () => {
          this.#hasConnected = true
        },
        progress: () => {},
        received: (message) => {
          if (this.#isAlive && message.kind === 'chat') {
            this.#events.heard(this, message.leaf, message.text)
          }
        },
        missed: (leaf, count) => {
          if (this.#isAlive) this.#events.missed(this, leaf, count)
        },
        lost: (error) => this.#lost(error),
        problem: (error) => around.trace(`${this.name} problem ${described(error)}`),
        ended: (reason, error) => this.#ended(reason, error),
      },
    )
    this.#cancelTimeout = this.#clock.setTimer(joinTimeoutMs, () =>
      this.#session.abandon(new SessionError('join-timeout', 'nobody let us in')),
    )
    this.#session.start()
  }

  /** Whether the process runs and its session has not ended. */
  get isIn(): boolean {
    return this.#isAlive && !this.hasEnded && this.#group !== undefined
  }
  get isAlive(): boolean {
    return this.#isAlive
  }
  get hasEnded(): boolean {
    return this.#endedAt !== undefined
  }
  /** By the true time; undefined while the session goes on. */
  get endedAt(): number | undefined {
    return this.#endedAt
  }
  /** The group of the current epoch, while there is one. */
  get group(): Group | undefined {
    return this.isIn ? this.#group : undefined
  }
  /** Only then it looks at what earlier processes have left. */
  get hasConnected(): boolean {
    return this.#hasConnected
  }
  get lastSleep(): Sleep {
    return this.#device.lastSleep
  }
  get pendingTimers(): number {
    return this.#clock.pending
  }

  leave(): Promise<void> {
    return this.#session.leave()
  }

  /** The page throws its frame cryptor away and makes another. */
  async rebuildMedia(): Promise<void> {
    if (!this.isIn) return
    this.#keys.close()
    this.#keys = this.#newKeys()
    await this.#protect()
  }

  /** The device sleeps: its timers and its connection stand still. */
  sleep(ms: number): void {
    if (!this.#isAlive || this.#device.isAsleep) return
    this.#device.sleep(ms)
    this.transport.slept(ms)
    this.#around.trace(`${this.name} sleeps for ${ms} ms`)
  }

  /** The process dies in the middle of what it does. */
  dieBy(fate: Fate): void {
    this.#fate ??= fate
  }

  /** Adds somebody who is away; whether it could be done. */
  async invite(identity: string): Promise<boolean> {
    try {
      const invited = await this.#session.invite(identity)
      return this.#isAlive && invited.length > 0
    } catch (error) {
      if (this.#isAlive && !(error instanceof ConclaveError)) this.#events.surprised(this, error)
      return false
    }
  }

  /** Has the meeting go on in another group; whether it has. */
  async reinitialise(cipherSuite: number): Promise<boolean> {
    try {
      await this.#session.reinitialise(cipherSuite, reinitialiseTimeoutMs)
      return this.#isAlive
    } catch (error) {
      if (this.#isAlive && !(error instanceof ConclaveError)) this.#events.surprised(this, error)
      return false
    }
  }

  /** Says something to everybody who is there; whether it has been passed on. */
  async say(text: string): Promise<boolean> {
    try {
      await this.#session.chat.send({ kind: 'chat', text })
      return this.#isAlive
    } catch (error) {
      const expected = error instanceof ConclaveError && error.code !== 'argument-invalid'
      if (this.#isAlive && !expected) this.#events.surprised(this, error)
      return false
    }
  }

  /** Nothing that was to befall it will. */
  spare(): void {
    this.#device.wake()
    this.#fate = undefined
    this.crypto.damaging = 0
    this.transport.answersToLose = 0
  }

  /** The process dies. */
  die(): void {
    if (!this.#isAlive) return
    this.#isAlive = false
    this.#clock.end()
    this.crypto.end()
    this.transport.die()
    this.#around.trace(`${this.name} is dead`)
    this.#events.died(this)
  }

  #arrived(): void {
    const fate = this.#fate
    if (fate === undefined || !('arrivals' in fate)) return
    this.#fate = { ...fate, arrivals: fate.arrivals - 1 }
    if (this.#fate.arrivals > 0) return
    this.#fate = undefined
    void this.#dieInTurn(fate.turns)
  }

  #writing(isThere: boolean): void {
    const fate = this.#fate
    if (fate === undefined || !('writes' in fate) || fate.isThere !== isThere) return
    this.#fate = { ...fate, writes: fate.writes - 1 }
    if (this.#fate.writes > 0) return
    this.#around.trace(`${this.name} dies ${isThere ? 'after' : 'before'} a write is there`)
    this.die()
  }

  /** Other work's turns come between, as many as it takes. */
  async #dieInTurn(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    this.die()
  }

  #newKeys(): MeetingKeys {
    return new MeetingKeys({
      store: () => this.#session.store,
      createFrameCryptor: () =>
        recordedCryptor((cryptor, key) => {
          if (this.#isAlive) this.#around.keyInstalled(cryptor, key)
        }),
      currentGroup: () => this.group,
    })
  }

  /** Media is protected from the beginning on. */
  async #protect(): Promise<void> {
    const keys = this.#keys
    try {
      await keys.cryptor()
    } catch (error) {
      // Meanwhile the session may end, its process die, or the page throw this cryptor away, too.
      if (this.isIn && keys === this.#keys) this.#events.surprised(this, error)
    }
  }

  #epochBegan(group: Group, effect: CommitEffect | undefined): void {
    if (!this.#isAlive) return
    const isFirst = !this.#wasIn
    this.#wasIn = true
    this.#group = group
    this.#cancelTimeout()
    this.#keys.epochBegan(group, effect?.removed ?? [])
    this.#events.epochBegan(this, group, effect)
    if (isFirst) void this.#protect()
  }

  /** Everybody is in the group that continues the one before; who has which leaf only media asks. */
  #continued(group: Group): void {
    if (!this.#isAlive) return
    this.#group = group
    this.#keys.continued(group, new Map())
    this.#events.epochBegan(this, group, undefined)
  }

  /** The session takes its place anew; until then it is in no epoch. */
  #lost(error: ConclaveError): void {
    if (!this.#isAlive) return
    this.#group = undefined
    this.#around.trace(`${this.name} lost: ${described(error)}`)
  }

  #ended(reason: EndReason, error: ConclaveError | undefined): void {
    if (!this.#isAlive) return
    this.#endedAt = this.#around.clock.now()
    this.#cancelTimeout()
    this.#keys.close()
    this.#around.trace(`${this.name} ended: ${reason} ${error ? described(error) : ''}`)
    this.#events.ended(this, reason, error)
  }
}

export function described(error: ConclaveError): string {
  const { detail } = error as { readonly detail?: string }
  return detail === undefined ? error.code : `${error.code} ${detail}`
}
