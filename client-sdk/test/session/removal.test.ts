import { describe, expect, it } from 'vitest'
import { type Departure, describeHistory } from '../../src/index.ts'
import { memorySessionStore } from '../../src/session/store.ts'
import { refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

/** How others saw somebody go. */
function departures({ meeting }: Client): Departure[] {
  const seen: Departure[] = []
  meeting.on('participantLeft', (_, departure) => seen.push(departure))
  return seen
}

async function meetingWithMallory(room: Room) {
  const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
  const devices = []
  for (const store of [memorySessionStore(), memorySessionStore()]) {
    devices.push(await room.join('mallory', undefined, { store }))
  }
  await room.agreed([alice, bob, ...devices], ['alice', 'bob', 'mallory', 'mallory'])
  return { alice, bob, devices }
}

async function settled(room: Room, asking: Promise<void>): Promise<string> {
  let outcome = ''
  asking.then(
    () => {
      outcome = 'done'
    },
    ({ code, detail }: { code: string; detail?: string }) => {
      outcome = detail === undefined ? code : `${code} ${detail}`
    },
  )
  await room.until(() => outcome !== '')
  return outcome
}

describe('who is removed by a host', () => {
  it('goes with all devices in one commit, and everyone sees who asked', async () => {
    const room = Room.open()
    const { alice, bob, devices } = await meetingWithMallory(room)
    const seen = departures(bob)
    expect(await settled(room, alice.meeting.remove('mallory'))).toBe('done')
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(seen).toHaveLength(2)
    for (const departure of seen) {
      expect(departure).toMatchObject({
        reason: 'removed',
        askedBy: 'keyserver',
        requestedBy: { identity: 'alice' },
      })
      expect(departure.epoch).toBe(seen[0]?.epoch)
    }
    const [, last] = bob.meeting.history.slice(-2)
    expect(last && describeHistory(last)).toMatch(
      /^“mallory” was removed because the keyserver asked for it at the request of “alice”; .* changed the keys\.$/,
    )
    for (const { witness } of devices) {
      await room.until(() => witness.ended.length === 1)
      expect(witness.ended).toMatchObject([{ reason: 'removed' }])
    }
  })

  it('goes without a name for it where nobody has signed for it', async () => {
    const room = Room.open()
    const { alice, bob } = await meetingWithMallory(room)
    const seen = departures(alice)
    const [leaf = -1] = alice.meeting.leavesOf('mallory')
    // The keyserver says that bob has asked, whose word was for somebody else.
    const requester = { leafIndex: bob.meeting.self.leaf, signature: new Uint8Array(64) }
    await room.delivery.remove(leaf, { reason: 'removed', requester })
    await room.agreed([alice, bob], ['alice', 'bob', 'mallory'])
    expect(seen).toMatchObject([{ reason: 'removed', askedBy: 'keyserver' }])
    expect(seen[0]?.requestedBy).toBeUndefined()
  })

  it.each([
    ['idle', 'idle', /had renewed no keys for long, and was removed because the keyserver/],
    ['absent', 'absent', /was out of touch, and removed because the keyserver/],
    ['left', 'left', /left; /],
  ] as const)('is told apart from who is %s', async (_, reason, line) => {
    const room = Room.open()
    const { alice, bob } = await meetingWithMallory(room)
    const seen = departures(alice)
    const [leaf = -1] = alice.meeting.leavesOf('mallory')
    await room.delivery.remove(leaf, { reason })
    await room.agreed([alice, bob], ['alice', 'bob', 'mallory'])
    expect(seen).toMatchObject([{ reason, askedBy: 'keyserver' }])
    expect(alice.meeting.history.map(describeHistory).at(-1)).toMatch(line)
  })

  it('is asked for in vain where the token does not grant it, or nobody is meant', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    const detail = 'token-grant-missing'
    alice.port.tamper.remove = () => Promise.resolve({ ...refuse('not-permitted'), detail })
    expect(await settled(room, alice.meeting.remove('bob'))).toBe(`keyserver-refused ${detail}`)
    expect(await settled(room, alice.meeting.remove('carol'))).toBe('participant-unknown')
    expect(await settled(room, alice.meeting.remove('alice'))).toBe('argument-invalid')
    await alice.meeting.leave()
    expect(await settled(room, alice.meeting.remove('bob'))).toBe('session-ended')
  })

  it('does not come back by itself, although it was away', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    bob.port.drop()
    await room.rest()
    expect(await settled(room, alice.meeting.remove('bob'))).toBe('done')
    await room.agreed([alice], ['alice'])
    bob.port.connect()
    await room.until(() => bob.witness.ended.length === 1)
    expect(bob.witness.ended).toMatchObject([{ reason: 'removed' }])
    expect(bob.witness.lost).toEqual([])
  })
})
