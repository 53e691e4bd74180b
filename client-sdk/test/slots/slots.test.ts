import { ConclaveError } from '@conclave/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memorySessionStore, type SessionStore } from '../../src/index.ts'
import { type SlotPlace, sweepSlots, takeSlot, wipeSlot } from '../../src/session/slots.ts'
import { suite } from '../session/support/people.ts'
import { bytes, changes, holdsTheContract } from '../storage/contract.ts'

const standup = place('standup', 'alice')
const retro = place('retro', 'alice')

function place(meetingId: string, identity: string): SlotPlace {
  return { meetingId, identity: { id: identity } }
}

function device() {
  const store = memorySessionStore()
  return { store, take: (at = standup) => takeSlot(suite, store, at) }
}

describe('the tabs of a device in a meeting', () => {
  it('have a slot each, however many come at the same time', async () => {
    const { take } = device()
    const taken = await Promise.all(Array.from({ length: 8 }, () => take()))
    expect(taken.map(({ number }) => number).toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('take the lowest slot that is free, whoever comes and goes', async () => {
    const arriving = fc.constant<'comes'>('comes')
    const leaving = fc.nat(12)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(arriving, leaving), { maxLength: 40 }), async (steps) => {
        const { take } = device()
        const releases: (() => void)[] = []
        const present = new Set<number>()
        for (const step of steps) {
          if (step === 'comes' && present.size < 32) {
            const { number, release } = await take()
            expect(number).toBe([...Array(33).keys()].find((each) => !present.has(each)))
            present.add(number)
            releases[number] = release
          } else if (step !== 'comes') {
            // A second time it is nobody's business any more.
            releases[step]?.()
            releases[step]?.()
            present.delete(step)
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  it('releases its own slot alone, also when it does so late', async () => {
    const { take } = device()
    const first = await take()
    first.release()
    const second = await take()
    first.release()
    expect((await take()).number).toBe(1)
    expect(second.number).toBe(0)
  })

  it('leave nothing behind in a slot that another may have', async () => {
    const { store, take } = device()
    const writing = Promise.withResolvers<void>()
    const slow: SessionStore = {
      ...store,
      write: async (changes) => {
        await writing.promise
        await store.write(changes)
      },
    }
    const first = await takeSlot(suite, slow, standup)
    const written = first.store.write(changes({ state: bytes(1) }))
    first.release()
    const ended = { code: 'session-ended' }
    await expect(first.store.write(changes({ state: bytes(2) }))).rejects.toMatchObject(ended)
    await expect(first.store.readOrWrite('a', bytes(2))).rejects.toMatchObject(ended)
    await expect(first.store.read('a')).rejects.toMatchObject(ended)
    await expect(first.store.keys('')).rejects.toMatchObject(ended)
    await expect(first.store.hold('a')).rejects.toMatchObject(ended)
    expect((await take()).number).toBe(1)
    writing.resolve()
    await written
    const next = await take()
    expect(next.number).toBe(0)
    expect(await next.store.read('state')).toEqual(bytes(1))
    expect(await next.store.keys('')).toEqual(['state'])
  })

  it('release a slot whose last call has failed', async () => {
    const { store, take } = device()
    const full = new ConclaveError('store-unavailable', 'no room')
    const failing: SessionStore = { ...store, write: () => Promise.reject(full) }
    const slot = await takeSlot(suite, failing, standup)
    const written = slot.store.write(changes({ state: bytes(1) }))
    slot.release()
    await expect(written).rejects.toBe(full)
    expect((await take()).number).toBe(0)
  })

  it('are no more than can be told apart', async () => {
    const { take } = device()
    for (let i = 0; i < 32; i++) await take()
    await expect(take()).rejects.toMatchObject({ code: 'slots-taken', remedy: expect.any(String) })
  })

  it('have nothing to do with other meetings and identities, however their names run into each other', async () => {
    const { take } = device()
    const places = [
      standup,
      retro,
      place('standup', 'bob'),
      place('standup/0', 'alice'),
      place('standupalice', ''),
      place('standu', 'palice'),
      place('', 'standupalice'),
    ]
    for (const each of places) expect((await take(each)).number).toBe(0)
  })

  it('join no meeting where they cannot be told apart', async () => {
    const unsupported = new ConclaveError('platform-unsupported', 'no locks here')
    const store: SessionStore = {
      ...memorySessionStore(),
      hold: () => Promise.reject(unsupported),
    }
    await expect(takeSlot(suite, store, standup)).rejects.toBe(unsupported)
  })
})

describe('what a slot stores', () => {
  holdsTheContract({
    medium: async () => {
      const { store } = await device().take()
      return { open: () => store }
    },
    runs: 50,
  })

  it('is not seen by others, and is there for whoever has the slot next', async () => {
    const { take } = device()
    const first = await take()
    await first.store.write(changes({ state: bytes(7) }))
    for (const { store } of [await take(), await take(retro)]) {
      expect(await store.read('state')).toBeUndefined()
      expect(await store.keys('')).toEqual([])
      expect(await store.hold('work')).toBeTypeOf('function')
    }
    first.release()
    const next = await take()
    expect(next.number).toBe(0)
    expect(await next.store.read('state')).toEqual(bytes(7))
  })

  it('lies under a prefix of its own that tells neither the meeting nor who is in it', async () => {
    const { store, take } = device()
    for (const { store } of [await take(), await take()]) {
      await store.write(changes({ state: bytes(7) }))
    }
    const [first = '', second = ''] = (await store.keys('')).toSorted()
    expect(first).toMatch(/^meeting\/[0-9a-f]{64}\/0\/state$/)
    expect(second).toBe(first.replace('/0/', '/1/'))
  })

  it('is gone in one write when it is wiped, and nothing else with it', async () => {
    const { store, take } = device()
    await store.write(changes({ 'device-key': bytes(1) }))
    const [slot, other] = [await take(), await take()]
    await slot.store.write(changes({ state: bytes(1), 'sent/1': bytes(2), '': bytes(3) }))
    await other.store.write(changes({ state: bytes(4) }))
    const before = await store.keys('')
    const writes: number[] = []
    const watched: SessionStore = {
      ...slot.store,
      write: async (changes) => {
        writes.push(changes.size)
        await slot.store.write(changes)
      },
    }
    await wipeSlot({ store: watched })
    await wipeSlot({ store: watched })
    expect(writes).toEqual([3])
    expect(await slot.store.keys('')).toEqual([])
    expect(await store.keys('')).toHaveLength(before.length - 3)
    expect(await other.store.read('state')).toEqual(bytes(4))
  })

  it('is empty when its holder has wiped it, whatever was being written meanwhile', async () => {
    const { store, take } = device()
    const slot = await take()
    const counter = slot.store.read('counter')
    const written = slot.store.write(changes({ state: bytes(1) }))
    const wiped = slot.wipe()
    await counter
    // As whoever counts a stored number up does.
    const refused = slot.store.write(changes({ counter: bytes(2) }))
    await expect(refused).rejects.toMatchObject({ code: 'session-ended' })
    await Promise.all([written, wiped])
    expect(await store.keys('')).toEqual([])
    expect((await take()).number).toBe(0)
  })

  it('is released when it cannot be wiped', async () => {
    const { store, take } = device()
    const broken = new ConclaveError('store-unavailable', 'no disk')
    const slot = await takeSlot(suite, { ...store, keys: () => Promise.reject(broken) }, standup)
    await expect(slot.wipe()).rejects.toBe(broken)
    expect((await take()).number).toBe(0)
  })
})

/** A device on which sessions have crashed, in so many meetings; what is stale says so. */
async function crashedIn(meetings: number) {
  const { store, take } = device()
  const places = Array.from({ length: meetings }, (_, i) => place(`meeting ${i}`, 'alice'))
  /** What a session does in a meeting's slot before it goes, and its slot stays. */
  const visit = async <T>(nth: number, work: (store: SessionStore) => Promise<T>): Promise<T> => {
    const slot = await take(place(`meeting ${nth}`, 'alice'))
    expect(slot.number).toBe(0)
    try {
      return await work(slot.store)
    } finally {
      slot.release()
    }
  }
  const left = changes({ stale: bytes(1), state: bytes(2) })
  for (const nth of places.keys()) await visit(nth, (slotStore) => slotStore.write(left))
  const keysIn = (nth: number) => visit(nth, (slotStore) => slotStore.keys(''))
  return { store, take, places, visit, keysIn }
}

const freshened = (slotStore: SessionStore) => slotStore.write(changes({ stale: undefined }))

const isStale = async (store: SessionStore) => (await store.read('stale')) !== undefined

describe('sweeping slots', () => {
  it('wipes what is stale and held by nobody', async () => {
    const { store, take, visit, keysIn } = await crashedIn(3)
    await store.write(changes({ 'device-key': bytes(1) }))
    await visit(1, freshened)
    const held = await take(place('meeting 2', 'alice'))
    await sweepSlots(store, isStale)
    expect(await keysIn(0)).toEqual([])
    expect(await keysIn(1)).toEqual(['state'])
    expect(await held.store.keys('')).toEqual(['stale', 'state'])
    expect(await store.read('device-key')).toEqual(bytes(1))
  })

  it('leaves slots free that it has swept, and those that it has not', async () => {
    const { store, take, places, visit } = await crashedIn(4)
    await visit(1, freshened)
    await sweepSlots(store, isStale)
    for (const each of places) expect((await take(each)).number).toBe(0)
  })

  it('is in nobody’s way who comes back to what is not stale', async () => {
    const { store, take } = device()
    const crashed = await take()
    await crashed.store.write(changes({ state: bytes(2) }))
    crashed.release()
    const numbers: number[] = []
    await sweepSlots(store, async () => {
      const { number, release } = await take()
      numbers.push(number)
      release()
      return false
    })
    expect(numbers).toEqual([0])
  })

  it('keeps what somebody has made fresh while it looked', async () => {
    const { store, visit } = await crashedIn(1)
    let looks = 0
    await sweepSlots(store, async (slotStore) => {
      looks += 1
      const stale = await isStale(slotStore)
      if (looks > 1) return stale
      await visit(0, freshened)
      return stale
    })
    expect(looks).toBe(2)
    expect((await store.keys('')).map((key) => key.slice(-8))).toEqual(['/0/state'])
  })

  it('keeps what somebody has come back to while it looked', async () => {
    const { store, take } = await crashedIn(1)
    await sweepSlots(store, async (slotStore) => {
      await take(place('meeting 0', 'alice'))
      return await isStale(slotStore)
    })
    expect(await store.keys('')).toHaveLength(2)
  })

  it('wipes no more than 64 slots at a time, and the others the next time', async () => {
    const { store } = await crashedIn(130)
    const left: number[] = []
    for (let i = 0; i < 3; i++) {
      await sweepSlots(store, isStale)
      left.push((await store.keys('')).length / 2)
    }
    expect(left).toEqual([66, 2, 0])
  })

  it('says what the first failure was, and sweeps the others', async () => {
    const { store, visit, keysIn } = await crashedIn(4)
    for (const nth of [1, 2]) {
      const damage = changes({ stale: undefined, damaged: bytes(nth) })
      await visit(nth, (slotStore) => slotStore.write(damage))
    }
    const looking = async (slotStore: SessionStore) => {
      const damaged = await slotStore.read('damaged')
      if (damaged !== undefined) throw new ConclaveError('store-corrupted', `of ${damaged[0]}`)
      return await isStale(slotStore)
    }
    await expect(sweepSlots(store, looking)).rejects.toMatchObject({
      code: 'store-corrupted',
      message: 'of 1',
    })
    expect(await Promise.all([0, 1, 2, 3].map(keysIn))).toEqual([
      [],
      ['state', 'damaged'],
      ['state', 'damaged'],
      [],
    ])
  })

  it('releases a slot that could not be wiped', async () => {
    const { store, take } = await crashedIn(1)
    const full = new ConclaveError('store-unavailable', 'no room')
    const failing: SessionStore = { ...store, write: () => Promise.reject(full) }
    await expect(sweepSlots(failing, isStale)).rejects.toBe(full)
    expect((await take(place('meeting 0', 'alice'))).number).toBe(0)
  })

  it('says that a store is damaged whose keys cannot be listed', async () => {
    const damaged = new ConclaveError('store-corrupted', 'damaged')
    const store: SessionStore = { ...memorySessionStore(), keys: () => Promise.reject(damaged) }
    await expect(sweepSlots(store, isStale)).rejects.toBe(damaged)
  })

  it('touches nothing that is no slot’s', async () => {
    const { store } = device()
    const keys = [
      'meeting/',
      'meeting/ab',
      'meeting/ab/0',
      'meeting/xyz/0/state',
      'meetings/ab/0/s',
    ]
    await store.write(new Map(keys.map((key) => [key, bytes(1)])))
    await sweepSlots(store, async () => true)
    expect(await store.keys('')).toHaveLength(keys.length)
  })
})
