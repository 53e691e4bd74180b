import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memorySessionStore } from '../../src/index.ts'
import { memorySlotLocks, type Slot, takeSlot } from '../../src/session/slots.ts'
import { holdsTheContract } from '../storage/contract.ts'

const device = Uint8Array.of(1)
const meeting = 'standup'

function slots() {
  const locks = memorySlotLocks()
  const store = memorySessionStore()
  const take = (deviceKey = device, meetingId = meeting): Promise<Slot> =>
    takeSlot(locks, store, deviceKey, meetingId)
  return { store, take }
}

describe('the tabs of a device in a meeting', () => {
  it('have a slot each, however many come at the same time', async () => {
    const { take } = slots()
    const taken = await Promise.all(Array.from({ length: 8 }, () => take()))
    expect(taken.map(({ number }) => number).toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('take the lowest slot that is free, whoever comes and goes', async () => {
    const arriving = fc.constant<'comes'>('comes')
    const leaving = fc.nat(40)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(arriving, leaving), { maxLength: 40 }), async (steps) => {
        const { take } = slots()
        const open = new Map<number, Slot>()
        for (const step of steps) {
          const leaver = step === 'comes' ? undefined : open.get(step)
          if (leaver !== undefined) {
            leaver.release()
            // A second time it is nobody's business any more.
            leaver.release()
            open.delete(leaver.number)
          } else if (step === 'comes' && open.size < 32) {
            const slot = await take()
            const free = [...Array(33).keys()].find((number) => !open.has(number))
            expect(slot.number).toBe(free)
            open.set(slot.number, slot)
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  it('releases its own slot alone, also when it does so late', async () => {
    const { take } = slots()
    const first = await take()
    first.release()
    const second = await take()
    first.release()
    expect((await take()).number).toBe(1)
    expect(second.number).toBe(0)
  })

  it('are no more than can be told apart', async () => {
    const { take } = slots()
    for (let i = 0; i < 32; i++) await take()
    await expect(take()).rejects.toMatchObject({ code: 'slots-taken', remedy: expect.any(String) })
  })

  it('have nothing to do with other meetings and devices', async () => {
    const { take } = slots()
    await take()
    expect((await take(device, 'retro')).number).toBe(0)
    expect((await take(Uint8Array.of(2))).number).toBe(0)
    expect((await take(device, 'standup/0')).number).toBe(0)
  })
})

describe('what a slot stores', () => {
  holdsTheContract({
    medium: async () => {
      const { store } = await slots().take()
      return { open: () => store }
    },
    runs: 50,
  })

  it('is not seen by others, and is there for whoever has the slot next', async () => {
    const { take } = slots()
    const value = Uint8Array.of(7)
    const first = await take()
    await first.store.write(new Map([['state', value]]))
    const others = [await take(), await take(device, 'retro')]
    for (const { store } of others) {
      expect(await store.read('state')).toBeUndefined()
      expect(await store.keys('')).toEqual([])
    }
    first.release()
    const next = await take()
    expect(next.number).toBe(0)
    expect(await next.store.read('state')).toEqual(value)
  })
})
