import { encode, opaque, struct, toHex, utf8 } from '@conclave/core/codec'
import type { PublicSuite } from '@conclave/core/crypto/public'
import type { MeetingIdentity } from './identity.ts'
import { SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'

/** One of a device's places in a meeting: each of its tabs there has one to itself. */
export interface Slot {
  /** From 0; the lowest that was free. */
  readonly number: number
  /**
   * The part of the session store that is this slot's, for all that it keeps of the meeting. After
   * the release every call fails as `session-ended`.
   */
  readonly store: SessionStore
  /**
   * What the slot has stored stays, for whoever has it next, as soon as the calls to its store that
   * are under way have ended.
   */
  release(): void
  /**
   * Releases the slot, from now on, and deletes all that it has stored before somebody else has it.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  wipe(): Promise<void>
}

/** What a slot is in: an identity of the user's in a meeting. */
export interface SlotPlace {
  readonly meetingId: string
  readonly identity: MeetingIdentity
}

/** Tabs of one device in one meeting. */
const maxSlots = 32
/** Slots whose leftovers are wiped at a time. */
const maxSweptAtOnce = 64

const LabelledPlace = struct({ label: opaque(), meetingId: opaque(), identity: opaque() })
const placeLabel = utf8('Conclave 1.0 MeetingSlots')

/**
 * Takes the device's lowest free slot in a meeting, until it is released or the tab or process ends.
 * A second tab is a member of its own, with a leaf, group state and counters of its own: two that
 * shared them would use nonces twice.
 * @throws SessionError `slots-taken`, `platform-unsupported`, `store-corrupted`, `store-unavailable`
 */
export async function takeSlot(
  crypto: Pick<PublicSuite, 'hash'>,
  store: SessionStore,
  { meetingId, identity }: SlotPlace,
): Promise<Slot> {
  const labelled = { label: placeLabel, meetingId: utf8(meetingId), identity: utf8(identity.id) }
  const place = toHex(crypto.hash(encode(LabelledPlace, labelled)))
  for (let number = 0; number < maxSlots; number++) {
    const name = `${place}/${number}`
    const release = await store.hold(lockOf(name))
    if (release !== undefined) return { number, ...untilReleased(storeOf(store, name), release) }
  }
  throw new SessionError('slots-taken', 'too many tabs of this device are in the meeting', {
    remedy: 'Close one of them.',
  })
}

/**
 * Deletes all that a slot has stored, in one write.
 * @throws SessionError `store-corrupted`, `store-unavailable`
 */
export async function wipeSlot({ store }: Pick<Slot, 'store'>): Promise<void> {
  const keys = await store.keys('')
  if (keys.length > 0) await store.write(new Map(keys.map((key) => [key, undefined])))
}

/**
 * Wipes the stale ones of the slots that nobody has: what crashed sessions have left that nobody
 * came back to, of any meeting. At most 64 at a time, the rest another time.
 *
 * @param isStale reads what is in a slot: of each without its lock, so that whoever comes back to a
 *   slot finds it free, and of a stale one again with it
 * @throws what the first slot that failed has failed with, when all others are through: SessionError
 *   `platform-unsupported`, `store-corrupted`, `store-unavailable`, and what `isStale` throws
 */
export async function sweepSlots(
  store: SessionStore,
  isStale: (slotStore: SessionStore) => Promise<boolean>,
): Promise<void> {
  const failures: unknown[] = []
  let swept = 0
  for (const name of await slotsIn(store)) {
    if (swept === maxSweptAtOnce) break
    try {
      const slotStore = storeOf(store, name)
      if (!(await isStale(slotStore))) continue
      const release = await store.hold(lockOf(name))
      if (release === undefined) continue
      swept += 1
      try {
        // Meanwhile somebody may have been here.
        if (await isStale(slotStore)) await wipeSlot({ store: slotStore })
      } finally {
        release()
      }
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

const folder = 'meeting/'
const slotName = /^[0-9a-f]+\/\d+(?=\/)/

async function slotsIn(store: SessionStore): Promise<ReadonlySet<string>> {
  const keys = await store.keys(folder)
  return new Set(keys.flatMap((key) => slotName.exec(key.slice(folder.length))?.[0] ?? []))
}

/** Not under the slot's own prefix, where it might be a lock of its store's. */
function lockOf(slot: string): string {
  return `slot/${slot}`
}

/** Nothing is written to a slot by its last holder that another may have taken meanwhile. */
function untilReleased(store: SessionStore, unlock: () => void): Omit<Slot, 'number'> {
  let released = false
  let underWay = 0
  const unlockIfIdle = () => {
    if (released && underWay === 0) unlock()
  }
  const whileHeld = async <T>(call: () => Promise<T>): Promise<T> => {
    if (released) throw new SessionError('session-ended', 'the slot in the meeting was released')
    underWay += 1
    try {
      return await call()
    } finally {
      underWay -= 1
      unlockIfIdle()
    }
  }
  return {
    store: {
      read: (key) => whileHeld(() => store.read(key)),
      write: (changes) => whileHeld(() => store.write(changes)),
      readOrWrite: (key, value) => whileHeld(() => store.readOrWrite(key, value)),
      keys: (prefix) => whileHeld(() => store.keys(prefix)),
      hold: (name) => whileHeld(() => store.hold(name)),
    },
    release: () => {
      released = true
      unlockIfIdle()
    },
    wipe: async () => {
      const wiping = whileHeld(() => wipeSlot({ store }))
      // Whoever has read something by now would write it after what is deleted here was listed.
      released = true
      await wiping
    },
  }
}

function storeOf(store: SessionStore, slot: string): SessionStore {
  const prefix = `${folder}${slot}/`
  return {
    read: (key) => store.read(prefix + key),
    write: (changes) =>
      store.write(new Map([...changes].map(([key, value]) => [prefix + key, value]))),
    readOrWrite: (key, value) => store.readOrWrite(prefix + key, value),
    keys: async (start) =>
      (await store.keys(prefix + start)).map((key) => key.slice(prefix.length)),
    hold: (name) => store.hold(prefix + name),
  }
}
