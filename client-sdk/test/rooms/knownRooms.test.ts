import { toHex } from '@conclave/core/codec'
import type { RoomDescription } from '@conclave/core/meeting'
import { expect, it } from 'vitest'
import { memorySessionStore, type SessionStore } from '../../src/index.ts'
import { KnownRooms } from '../../src/rooms/knownRooms.ts'

const most = 256

function room(number: number): RoomDescription {
  const nonce = new Uint8Array(16)
  new DataView(nonce.buffer).setUint32(0, number)
  return { parentGroupId: new Uint8Array(16), nonce, name: nonce, called: [] }
}

const idOf = ({ nonce }: RoomDescription) => toHex(nonce)

/** What a process knows of rooms, with what an earlier one has left in the store. */
function knownRooms(store: SessionStore): KnownRooms {
  return new KnownRooms({
    store: () => store,
    idOf,
    problem: (error) => {
      throw error
    },
  })
}

function tell(rooms: KnownRooms, first: number, count: number): void {
  for (let i = first; i < first + count; i++) rooms.remember(idOf(room(i)), room(i))
}

it('of rooms the newest are known, however many a member tells us of, and after a crash', async () => {
  const store = memorySessionStore()
  const before = knownRooms(store)
  tell(before, 0, most + 10)
  expect(await before.list()).toHaveLength(most)
  expect(before.has(idOf(room(9)))).toBe(false)
  const after = knownRooms(store)
  tell(after, 1000, 20)
  const ids = (await after.list()).map(({ id }) => id)
  expect(ids).toHaveLength(most)
  tell(after, 2000, 5)
  const newest = [1000, 1019, 2000, 2004].map((number) => after.has(idOf(room(number))))
  expect(newest).toEqual([true, true, true, true])
  expect(await store.keys('')).toHaveLength(most)
})
