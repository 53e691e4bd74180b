import type { Invitation } from '@conclave/client'
import type { Chance } from '../chance.ts'
import { DeviceClock } from './deviceClock.ts'
import { Disk } from './disk.ts'
import { openDoorbell } from './doorbell.ts'
import { type Device, type Fate, Life, type LifeEvents, type Surroundings } from './life.ts'

/** How soon the application tries again after its session has ended, in milliseconds. */
const againMs = [500, 3_000] as const
/** How wrong the clock of a device may be, in milliseconds: every rule leaves room for that. */
const mostAheadMs = 4 * 60_000

export interface PersonEvents extends LifeEvents {
  /** Somebody who was away comes because others have added it. */
  invited(identity: string): void
}

/** Somebody with one device, on which the application runs, crashes and is started again. */
export class Person {
  readonly identity: string
  readonly #around: Surroundings
  readonly #events: PersonEvents
  readonly #publishes: boolean
  readonly #chance: Chance
  readonly #device: Device
  #life: Life | undefined
  #lives = 0
  #wants = false
  #backAfterMs = 0

  constructor(identity: string, around: Surroundings, events: PersonEvents) {
    this.identity = identity
    this.#around = around
    this.#chance = around.chance.of('person', identity)
    this.#publishes = around.mayInvite && around.chance.of('publishes', identity).happens(0.4)
    const skew = around.chance.of('skew', identity)
    const aheadMs = skew.happens(0.3) ? skew.whole(-mostAheadMs, mostAheadMs) : 0
    this.#device = {
      clock: new DeviceClock(around.clock, aheadMs),
      disk: new Disk(around.clock, around.chance.of('disk', identity)),
    }
    this.#events = {
      ...events,
      ended: (life, reason, error) => {
        events.ended(life, reason, error)
        this.#comeAfter(this.#chance.between(...againMs))
      },
      died: (life) => {
        events.died(life)
        this.#comeAfter(this.#backAfterMs)
      },
    }
  }

  /** Whether it wants to be in the meeting. */
  get wants(): boolean {
    return this.#wants
  }

  /** What its device keeps, whatever runs on it. */
  get disk(): Pick<Disk, 'size' | 'names' | 'writes' | 'holds'> {
    return this.#device.disk
  }

  /** The process that runs at present. */
  get life(): Life | undefined {
    return this.#life?.isAlive === true ? this.#life : undefined
  }

  /** Whether others can add it while it is away. */
  get hasPublished(): boolean {
    return this.#publishes && this.#lives > 0
  }

  /** From now on others can. When it is rung, the person comes, or does not care. */
  #publish(): void {
    openDoorbell(this.identity, this.#device, this.#around, (invitation) => {
      if (this.#wants || !this.#chance.happens(0.7)) return
      this.#events.invited(this.identity)
      this.come(invitation)
    })
  }

  come(invitation?: Invitation): void {
    this.#wants = true
    if (this.life !== undefined && !this.life.hasEnded) return
    this.#device.clock.wake()
    if (this.#lives === 0 && this.#publishes) this.#publish()
    const device = invitation === undefined ? this.#device : { ...this.#device, invitation }
    this.#life = new Life(this.identity, this.#lives++, device, this.#around, this.#events)
  }

  /** Says goodbye. */
  leave(): void {
    this.#wants = false
    this.#device.clock.wake()
    void this.life?.leave()
  }

  /** Goes without a word, for good or until the application is started again. */
  vanish(): void {
    this.#wants = false
    this.life?.die()
  }

  /** The process dies in the middle of something; the person starts it again. */
  crash(fate: Fate, backAfterMs: number): void {
    this.#backAfterMs = backAfterMs
    this.life?.dieBy(fate)
  }

  #comeAfter(ms: number): void {
    this.#around.clock.setTimer(ms, () => {
      if (this.#wants) this.come()
    })
  }
}
