import { type Bytes, toHex, utf8 } from '@conclave/core/codec'
import { SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'

/** Locks that whoever shares a session store shares, and that end with the tab or process. */
export interface SlotLocks {
  /** Takes a lock that nobody holds, and gives what releases it; undefined where somebody does. */
  tryHold(name: string): Promise<(() => void) | undefined>
}

/** One of a device's places in a meeting: each of its tabs there has one to itself. */
export interface Slot {
  /** From 0; the lowest that was free. */
  readonly number: number
  /** The part of the session store that is this slot's, for what it keeps of the meeting. */
  readonly store: SessionStore
  /** What the slot has stored stays, for whoever has it next. */
  release(): void
}

/** Tabs of one device in one meeting. */
const maxSlots = 32

/**
 * Takes the device's next free slot in a meeting. A second tab is a member of its own, with a leaf,
 * group state and counters of its own: two that shared them would use nonces twice.
 * @throws SessionError `slots-taken`, `platform-unsupported`
 */
export async function takeSlot(
  locks: SlotLocks,
  store: SessionStore,
  deviceKey: Bytes,
  meetingId: string,
): Promise<Slot> {
  const meeting = toHex(utf8(meetingId))
  for (let number = 0; number < maxSlots; number++) {
    const release = await locks.tryHold(`conclave/${toHex(deviceKey)}/${meeting}/${number}`)
    if (release === undefined) continue
    return { number, store: storeUnder(store, `meeting/${meeting}/${number}/`), release }
  }
  throw new SessionError('slots-taken', `${maxSlots} tabs of this device are in the meeting`, {
    remedy: 'Close one of them.',
  })
}

/** Locks of this process alone. */
export function memorySlotLocks(): SlotLocks {
  const held = new Map<string, object>()
  return {
    tryHold: async (name) => {
      if (held.has(name)) return undefined
      const holder = {}
      held.set(name, holder)
      return () => {
        if (held.get(name) === holder) held.delete(name)
      }
    },
  }
}

function storeUnder(store: SessionStore, prefix: string): SessionStore {
  return {
    read: (key) => store.read(prefix + key),
    write: (changes) =>
      store.write(new Map([...changes].map(([key, value]) => [prefix + key, value]))),
    readOrWrite: (key, value) => store.readOrWrite(prefix + key, value),
    keys: async (start) =>
      (await store.keys(prefix + start)).map((key) => key.slice(prefix.length)),
  }
}
