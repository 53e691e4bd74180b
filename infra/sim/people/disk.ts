import type { SessionStore } from '@conclave/client'
import { type Clock, Lane } from '@conclave/core'
import type { Bytes } from '@conclave/core/codec'
import type { Chance } from '../chance.ts'

/** The longest that a write takes to be there, and then to be acknowledged, in milliseconds. */
const slowestMs = 4

/** What a device keeps between the lives of its processes. */
export class Disk {
  readonly #entries = new Map<string, Bytes>()
  readonly #locks = new Map<string, { readonly isAlive: () => boolean }>()
  readonly #clock: Clock
  readonly #chance: Chance
  #writes = 0

  constructor(clock: Clock, chance: Chance) {
    this.#clock = clock
    this.#chance = chance
  }

  /** Under which names it has something. */
  get names(): readonly string[] {
    return [...this.#entries.keys()]
  }

  /** How often it has been written to. */
  get writes(): number {
    return this.#writes
  }

  /** Whether these bytes stand anywhere on it. */
  holds(bytes: Bytes): boolean {
    for (const value of this.#entries.values()) {
      const { buffer, byteOffset, length } = value
      if (Buffer.from(buffer, byteOffset, length).includes(Buffer.from(bytes))) return true
    }
    return false
  }

  /** Bytes of all that is on it. */
  get size(): number {
    return [...this.#entries].reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  }

  /**
   * The disk as a process has it: what it has not written when it dies stays unwritten.
   * @param writing a write is about to be there, or is there and not acknowledged yet
   */
  storeOf(isAlive: () => boolean, writing: (isThere: boolean) => void = () => {}): SessionStore {
    const work = async (next: () => void = () => {}) => {
      if (this.#chance.happens(0.5)) {
        await new Promise<void>((resolve) => {
          this.#clock.setTimer(this.#chance.between(0, slowestMs), resolve)
        })
      }
      next()
      if (!isAlive()) await new Promise(() => {})
    }
    const before = () => work(() => writing(false))
    const after = () => work(() => writing(true))
    const lane = new Lane()
    return {
      read: (key) =>
        lane.run(async () => {
          await work()
          return this.#entries.get(key)?.slice()
        }),
      write: (changes) => {
        const copies = [...changes].map(([key, value]) => [key, value?.slice()] as const)
        return lane.run(async () => {
          await before()
          this.#writes += 1
          for (const [key, value] of copies) {
            if (value === undefined) this.#entries.delete(key)
            else this.#entries.set(key, value)
          }
          await after()
        })
      },
      readOrWrite: (key, value) => {
        const copy = value.slice()
        return lane.run(async () => {
          await before()
          this.#writes += 1
          const held = this.#entries.get(key) ?? copy
          this.#entries.set(key, held)
          await after()
          return held.slice()
        })
      },
      keys: (prefix) =>
        lane.run(async () => {
          await work()
          return [...this.#entries.keys()].filter((key) => key.startsWith(prefix))
        }),
      hold: async (name) => {
        await work()
        if (this.#locks.get(name)?.isAlive()) return undefined
        const holder = { isAlive }
        this.#locks.set(name, holder)
        return () => {
          if (this.#locks.get(name) === holder) this.#locks.delete(name)
        }
      },
    }
  }
}
