import { memorySessionStore, type SessionStore } from '../../../src/index.ts'
import { counted } from './census.ts'
import type { Port } from './port.ts'

/** A device, whose store outlasts the processes on it. */
export class Device {
  readonly store = memorySessionStore()

  /** Every entry of the store, by its key. */
  async contents(): Promise<ReadonlyMap<string, Uint8Array>> {
    const entries = new Map<string, Uint8Array>()
    for (const key of await this.store.keys('')) {
      const value = await this.store.read(key)
      if (value !== undefined) entries.set(key, value)
    }
    return entries
  }

  /** The entries of whichever slots under this name. */
  async entriesOf(name: string): Promise<readonly Uint8Array[]> {
    const contents = await this.contents()
    return [...contents].filter(([key]) => key.endsWith(`/${name}`)).map(([, value]) => value)
  }

  async change(name: string, damage: (entry: Uint8Array) => Uint8Array): Promise<void> {
    for (const [key, value] of await this.contents()) {
      if (!key.endsWith(`/${name}`)) continue
      await this.store.write(new Map([[key, new Uint8Array(damage(value))]]))
    }
  }

  /** A process that dies, where `diesAt` is given, at the so-maniest thing that it does. */
  start(diesAt = Number.POSITIVE_INFINITY): Process {
    return new Process(this.store, diesAt)
  }
}

/** What a process does with its store and its connection, until it dies. */
export class Process {
  readonly store: { -readonly [K in keyof SessionStore]: SessionStore[K] }
  /** What it has done: requests and uses of the store, each once when it begins and once it is done. */
  readonly done: string[] = []
  readonly #releases = new Set<() => void>()
  readonly #diesAt: number
  #port: Port | undefined
  #isDead = false

  constructor(device: SessionStore, diesAt: number) {
    this.#diesAt = diesAt
    this.store = {
      read: (key) => this.#live('read', () => device.read(key)),
      write: (changes) => {
        const copies = new Map([...changes].map(([key, value]) => [key, value?.slice()]))
        return this.#live('write', () => device.write(copies))
      },
      readOrWrite: (key, value) => {
        const copy = value.slice()
        return this.#live('readOrWrite', () => device.readOrWrite(key, copy))
      },
      keys: (prefix) => this.#live('keys', () => device.keys(prefix)),
      hold: async (name) => {
        const release = await device.hold(name)
        if (release !== undefined) this.#releases.add(release)
        return release
      },
    }
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** Has all that goes over the port count as done by this process. */
  useOf(port: Port): void {
    this.#port = port
    const request = port.request.bind(port)
    port.request = (name, body) => this.#live(name, () => request(name, body))
  }

  die(): void {
    if (this.#isDead) return
    this.#isDead = true
    for (const release of this.#releases) release()
    this.#port?.drop()
  }

  async #live<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#hasDied(`${what} begins`)) return await new Promise(() => {})
    const result = await counted(work())
    return this.#hasDied(`${what} is done`) ? await new Promise(() => {}) : result
  }

  #hasDied(step: string): boolean {
    if (this.#isDead) return true
    this.done.push(step)
    if (this.done.length >= this.#diesAt) this.die()
    return this.#isDead
  }
}
