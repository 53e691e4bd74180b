import { type Clock, ConclaveError } from '@conclave/core'
import type { PublicSuite } from '@conclave/core/crypto/public'
import type { MeetingIdentity } from './identity.ts'
import { type KeptNext, wipeNext } from './keptNext.ts'
import {
  type KeptMembership,
  type KeptPlace,
  PlaceStore,
  wipeMembership,
  wipePlace,
} from './keptPlace.ts'
import { SessionError } from './sessionError.ts'
import { type Slot, sweepSlots, takeSlot, wipeSlot } from './slots.ts'
import type { SessionStore } from './store.ts'

/** What crashed sessions have left is deleted after so long, in milliseconds. */
const leftoversMs = 24 * 60 * 60_000

export interface SessionStorageOptions {
  readonly store: SessionStore
  readonly clock: Pick<Clock, 'now'>
  readonly crypto: Pick<PublicSuite, 'hash'>
  readonly meetingId: string
  readonly identity: MeetingIdentity
  readonly problem: (error: ConclaveError) => void
}

/** What an earlier process has left us. */
export interface Found {
  readonly place: KeptPlace
  /** Undefined where it had not come so far, or cannot be read. */
  readonly membership: KeptMembership | undefined
  /** What lets us into the group that continues that of the place. */
  readonly next: KeptNext | undefined
}

export function wipeFound({ place, membership, next }: Partial<Found>): void {
  if (place !== undefined) wipePlace(place)
  if (membership !== undefined) wipeMembership(membership)
  if (next !== undefined) wipeNext(next)
}

/** A session's part of the session store: a slot of the device's, ours for as long as it lasts. */
export class SessionStorage {
  readonly #options: SessionStorageOptions
  #slot: Slot | undefined
  #places: PlaceStore | undefined
  #ending: Promise<void> | undefined

  constructor(options: SessionStorageOptions) {
    this.#options = options
  }

  /** Where the session keeps what belongs to its place in the meeting; undefined until it is open. */
  get store(): SessionStore | undefined {
    return this.#slot?.store
  }

  /**
   * Takes a slot; what was left there, if there is something of use. Again after an error.
   * @throws SessionError `slots-taken`, `store-unavailable`, `platform-unsupported`
   */
  async open(): Promise<Found | undefined> {
    const { crypto, store, clock, meetingId, identity } = this.#options
    const slot = await takeSlot(crypto, store, { meetingId, identity })
    if (this.#ending !== undefined) {
      slot.release()
      return undefined
    }
    this.#slot = slot
    this.#places = new PlaceStore(slot.store, clock)
    void this.#sweep()
    return await this.#read(this.#places)
  }

  /**
   * @param membership wiped; what was kept of it before is deleted where there is none
   * @throws SessionError `store-unavailable`
   */
  async keep(place: KeptPlace, membership: KeptMembership | undefined): Promise<void> {
    try {
      if (this.#ending === undefined) await this.#places?.keep(place, membership)
    } finally {
      if (membership !== undefined) wipeMembership(membership)
    }
  }

  /**
   * @param next wiped
   * @throws SessionError `store-unavailable`
   */
  async keepNext(next: KeptNext): Promise<void> {
    try {
      if (this.#ending === undefined) await this.#places?.keepNext(next)
    } finally {
      wipeNext(next)
    }
  }

  /**
   * Deletes what was kept of another group.
   * @throws SessionError `store-unavailable`
   */
  async forget(): Promise<void> {
    if (this.#slot !== undefined && this.#ending === undefined) await wipeSlot(this.#slot)
  }

  /** Deletes everything and gives the slot back; never fails. */
  end(): Promise<void> {
    this.#ending ??= this.#end()
    return this.#ending
  }

  async #end(): Promise<void> {
    try {
      await this.#slot?.wipe()
    } catch {
      // What cannot be deleted now is swept later, whatever the store throws.
    }
  }

  async #read(places: PlaceStore): Promise<Found | undefined> {
    const place = await this.#readable(() => places.place())
    const membership = await this.#readable(() => places.membership())
    const next = await this.#readable(() => places.next())
    if (place !== undefined && this.#ending === undefined) return { place, membership, next }
    // Without the place the rest is of no use.
    wipeFound({ place, membership, next } as Partial<Found>)
    return undefined
  }

  /** What is damaged is lost, and written anew. */
  async #readable<T>(read: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof ConclaveError) || error.code !== 'store-corrupted') throw error
      this.#options.problem(error)
      return undefined
    }
  }

  async #sweep(): Promise<void> {
    const { store, clock } = this.#options
    try {
      await sweepSlots(store, async (slot) => {
        const keptAt = await this.#readable(() => new PlaceStore(slot, clock).keptAt())
        return keptAt === undefined || Math.abs(clock.now() - keptAt) > leftoversMs
      })
    } catch (error) {
      // Nobody waits for this, and a later session tries again.
      if (this.#ending === undefined) this.#options.problem(asConclaveError(error))
    }
  }
}

/** A store of the application's may throw what it likes. */
function asConclaveError(cause: unknown): ConclaveError {
  return cause instanceof ConclaveError
    ? cause
    : new SessionError('store-unavailable', 'what crashed sessions left cannot be swept', { cause })
}
