import { indexedDbStore } from '../../../src/edge/indexedDbStore.ts'
import type { SessionStore } from '../../../src/session/store.ts'
import { roundChanges } from '../rounds.ts'

declare global {
  interface Window {
    stores: Stores
  }
}

/** Bytes on the way between a test and its page. */
export type Sent = readonly number[] | null

/** What a call came to: its result, or the error that it failed with. */
export type Outcome<T> =
  | { readonly result: T }
  | { readonly error: { readonly code: unknown; readonly remedy: unknown } }

/** The page's stores, by number, for a test outside it. What they are handed is wiped at once. */
export class Stores {
  readonly #stores: SessionStore[] = []
  readonly #releases: (() => void)[] = []

  open(name: string): number {
    return this.#stores.push(indexedDbStore({ name })) - 1
  }

  read(store: number, key: string): Promise<Outcome<Sent>> {
    return outcomeOf(async () => {
      const value = await this.#at(store).read(key)
      return value === undefined ? null : [...value]
    })
  }

  write(store: number, changes: readonly (readonly [string, Sent])[]): Promise<Outcome<null>> {
    return outcomeOf(async () => {
      const values = changes.map(([key, value]) => [key, value && Uint8Array.from(value)] as const)
      const written = this.#at(store).write(
        new Map(values.map(([key, value]) => [key, value ?? undefined])),
      )
      for (const [, value] of values) value?.fill(0)
      await written
      return null
    })
  }

  readOrWrite(store: number, key: string, sent: readonly number[]): Promise<Outcome<number[]>> {
    return outcomeOf(async () => {
      const value = Uint8Array.from(sent)
      const held = this.#at(store).readOrWrite(key, value)
      value.fill(0)
      return [...(await held)]
    })
  }

  keys(store: number, prefix: string): Promise<Outcome<readonly string[]>> {
    return outcomeOf(() => this.#at(store).keys(prefix))
  }

  /** Takes a lock; its number, for `release`, or null where it is held. */
  hold(store: number, name: string): Promise<Outcome<number | null>> {
    return outcomeOf(async () => {
      const release = await this.#at(store).hold(name)
      return release === undefined ? null : this.#releases.push(release) - 1
    })
  }

  release(lock: number): void {
    this.#releases[lock]?.()
  }

  /** Writes rounds until the page is no more; `torn` is the planted fault. */
  async writeRounds(store: number, from: number, mode: 'whole' | 'torn'): Promise<never> {
    const { write } = this.#at(store)
    for (let round = from; ; round++) {
      const changes = roundChanges(round)
      if (mode === 'whole') await write(changes)
      else for (const change of changes) await write(new Map([change]))
      document.title = String(round)
    }
  }

  #at(store: number): SessionStore {
    const found = this.#stores[store]
    if (found === undefined) throw new RangeError(`no store ${store}`)
    return found
  }
}

async function outcomeOf<T>(task: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { result: await task() }
  } catch (error) {
    const { code, remedy } = error as { code?: unknown; remedy?: unknown }
    return { error: { code: code ?? String(error), remedy } }
  }
}
