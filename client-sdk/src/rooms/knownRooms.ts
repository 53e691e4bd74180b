import { ConclaveError } from '@conclave/core'
import { type Bytes, decode, encode, fromUtf8 } from '@conclave/core/codec'
import { RoomDescription } from '@conclave/core/meeting'
import { SessionError } from '../session/sessionError.ts'
import type { SessionStore } from '../session/store.ts'

/** Rooms of a meeting that are remembered; of more the oldest are forgotten. */
const maxKnown = 256
const prefix = 'room/'

/** A room that we may enter. */
export interface KnownRoom {
  readonly id: string
  /** As whoever opened it has named it: to be escaped like any text of others. */
  readonly name: string
}

export interface KnownRoomsOptions {
  /** Of our place in the meeting, with which it goes. */
  readonly store: () => SessionStore
  /** The meeting id of a room that belongs to our group; undefined for any other. */
  readonly idOf: (description: RoomDescription) => string | undefined
  readonly problem: (error: ConclaveError) => void
}

/** The rooms that we were called into, also by an earlier process: nobody calls twice. */
export class KnownRooms {
  readonly #options: KnownRoomsOptions
  readonly #rooms = new Map<string, RoomDescription>()
  #loading: Promise<void> | undefined

  constructor(options: KnownRoomsOptions) {
    this.#options = options
  }

  /** @throws SessionError `store-…`, `session-ended` */
  async list(): Promise<readonly KnownRoom[]> {
    await this.#load()
    return Array.from(this.#rooms, ([id, { name }]) => ({ id, name: fromUtf8(name) ?? '' }))
  }

  /** @throws SessionError as `list` does */
  async get(id: string): Promise<RoomDescription | undefined> {
    if (!this.#rooms.has(id)) await this.#load()
    return this.#rooms.get(id)
  }

  /** Whether this process was told of it. */
  has(id: string): boolean {
    return this.#rooms.has(id)
  }

  /** Where the store cannot take it, it is forgotten with the process. */
  remember(id: string, description: RoomDescription): void {
    this.#rooms.set(id, description)
    const changes = this.#excess()
    changes.set(keyOf(id), encode(RoomDescription, description))
    void this.#store(changes)
  }

  /** Forgets the oldest of too many; what that changes in the store. */
  #excess(): Map<string, Bytes | undefined> {
    const changes = new Map<string, Bytes | undefined>()
    for (const id of [...this.#rooms.keys()].slice(0, -maxKnown)) {
      this.#rooms.delete(id)
      changes.set(keyOf(id), undefined)
    }
    return changes
  }

  async #store(changes: ReadonlyMap<string, Bytes | undefined>): Promise<void> {
    try {
      await this.#options.store().write(changes)
    } catch (cause) {
      const error = new SessionError('store-unavailable', 'a room was not stored', { cause })
      this.#options.problem(cause instanceof ConclaveError ? cause : error)
    }
  }

  #load(): Promise<void> {
    this.#loading ??= this.#read().catch((error: unknown) => {
      this.#loading = undefined
      throw error
    })
    return this.#loading
  }

  /** What an earlier process had been told. What cannot be read is forgotten. */
  async #read(): Promise<void> {
    const store = this.#options.store()
    const earlier = new Map<string, RoomDescription>()
    for (const key of await store.keys(prefix)) {
      const stored = await store.read(key)
      const description = stored && readable(stored)
      const id = description && this.#options.idOf(description)
      if (description !== undefined && id !== undefined) earlier.set(id, description)
      else await store.write(new Map([[key, undefined]]))
    }
    const told = [...this.#rooms].filter(([id]) => !earlier.has(id))
    this.#rooms.clear()
    for (const [id, description] of [...earlier, ...told]) this.#rooms.set(id, description)
    const changes = this.#excess()
    if (changes.size > 0) await store.write(changes)
  }
}

/** The part of a room's id that is not its parent's. */
function keyOf(id: string): string {
  return `${prefix}${id.slice(-32)}`
}

function readable(stored: Bytes): RoomDescription | undefined {
  try {
    return decode(RoomDescription, stored)
  } catch (error) {
    if (error instanceof ConclaveError) return undefined
    throw error
  }
}
