import { describe, expect, it } from 'vitest'
import { Device, type Process } from './support/device.ts'
import { type Port, refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

/** Bob’s process, in a meeting with alice and, as soon as bob is in, with carol and dan. */
async function withBob(room: Room, process: Process) {
  room.delivery.describes = true
  const alice = await room.join('alice')
  const joining = room.begin('bob', (port) => process.useOf(port), { store: process.store })
  await room.until(() => joining.client !== undefined || process.isDead)
  const carol = await room.join('carol')
  const dan = await room.join('dan')
  return { alice, carol, dan, joining }
}

/** All four are in one epoch; `before` is bob. */
async function settledMeeting() {
  const room = Room.open()
  const device = new Device()
  const process = device.start()
  const { alice, carol, dan, joining } = await withBob(room, process)
  const before = joining.client as Client
  await room.agreed([alice, before, carol, dan], all)
  return { room, device, process, alice, before, carol, dan }
}

async function backAgain(room: Room, device: Device): Promise<{ bob: Client; process: Process }> {
  const process = device.start()
  const bob = await room.join('bob', (port) => process.useOf(port), { store: process.store })
  return { bob, process }
}

const all = ['alice', 'bob', 'carol', 'dan']

describe('a process that dies', () => {
  it('comes back to its place, and to keys that nobody has stolen from the store', async () => {
    const { room, device, process, alice, before, carol, dan } = await settledMeeting()
    const { epoch } = alice.meeting.view
    process.die()
    const { bob } = await backAgain(room, device)
    expect(bob.meeting.self.leaf).toBe(before.meeting.self.leaf)
    // It renews the keys that have lain in the store, and nobody else has anything to commit.
    await room.until(() => alice.meeting.view.epoch > epoch)
    await room.agreed([alice, bob, carol, dan], all)
    expect(alice.meeting.view.epoch).toBe(epoch + 1n)
    expect(alice.witness.left).toEqual([])
    expect(bob.port.count('commit')).toBe(1)
    expect(bob.port.count('wait')).toBe(0)
  })

  it('follows what happened while it was away before it tells of any epoch', async () => {
    const { room, device, process, alice, carol, dan } = await settledMeeting()
    process.die()
    await dan.meeting.leave()
    await room.agreed([alice, carol], ['alice', 'bob', 'carol'])
    const { epoch } = alice.meeting.view
    const { bob } = await backAgain(room, device)
    expect(bob.witness.epochs.every((view) => view.epoch >= epoch)).toBe(true)
    expect(bob.meeting.view.epoch).toBeGreaterThanOrEqual(epoch)
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
  })

  it('comes back to the leaf that it waited with while a commit of its own was refused', async () => {
    const room = Room.open()
    room.delivery.describes = true
    const [alice] = (await room.meetingOf('alice')) as [Client]
    alice.port.notices = (notice) => (notice.name === 'waiting' ? [] : [notice])
    const device = new Device()
    const process = device.start()
    const refused = (port: Port) => {
      process.useOf(port)
      port.tamper.commit = async () => {
        alice.port.notices = (notice) => [notice]
        return refuse('message-invalid')
      }
    }
    const before = await room.join('bob', refused, { store: process.store })
    await room.agreed([alice, before], ['alice', 'bob'])
    process.die()
    const { bob } = await backAgain(room, device)
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(bob.meeting.self.leaf).toBe(before.meeting.self.leaf)
    expect(bob.port.count('wait')).toBe(0)
    expect(alice.witness.left).toEqual([])
  })
})

describe('a process that dies while it leaves', () => {
  it('comes in as somebody new when it is started again', async () => {
    const { room, device, process, alice, before, carol, dan } = await settledMeeting()
    const wrote = process.store.write
    process.store.write = async () => await new Promise(() => {})
    void before.meeting.leave()
    await room.agreed([alice, carol, dan], ['alice', 'carol', 'dan'])
    process.store.write = wrote
    process.die()
    const { bob } = await backAgain(room, device)
    await room.agreed([alice, bob, carol, dan], all)
    expect(bob.witness.ended).toEqual([])
    expect(bob.witness.lost).toEqual([])
  })
})

describe('a process that finds its state damaged', () => {
  it.each([
    ['cut off', (entry: Uint8Array) => entry.subarray(0, entry.length >> 1)],
    ['of another version', (entry: Uint8Array) => Uint8Array.of(9, ...entry.subarray(1))],
    ['changed', (entry: Uint8Array) => entry.map((byte, i) => (i === 60 ? byte ^ 1 : byte))],
  ])('%s takes its place again by a commit of its own', async (_, damage) => {
    const { room, device, process, alice, before, carol, dan } = await settledMeeting()
    const { epoch } = before.meeting.view
    process.die()
    await device.change('membership', damage)
    const { bob } = await backAgain(room, device)
    await room.agreed([alice, bob, carol, dan], all)
    expect(bob.meeting.self.leaf).toBe(before.meeting.self.leaf)
    expect(bob.meeting.view.epoch).toBe(epoch + 1n)
    expect(bob.port.count('groupInfo')).toBe(1)
    expect(alice.witness.left).toEqual([])
  })

  it('enters the next group where its own ends while it takes its place again', async () => {
    const { room, device, process } = await settledMeeting()
    process.die()
    await device.change('membership', (entry) => entry.subarray(1))
    const next = device.start()
    const entering = (port: Port) => {
      next.useOf(port)
      port.tamper.groupInfo = async () => {
        if (room.delivery.group !== undefined) room.delivery.end()
        return refuse('group-unknown')
      }
    }
    const bob = await room.join('bob', entering, { store: next.store })
    await room.agreed([bob], ['bob'])
    expect(bob.witness.ended).toEqual([])
  })

  it('and its place too comes in as somebody new', async () => {
    const { room, device, process, alice, before, carol, dan } = await settledMeeting()
    process.die()
    await device.change('place', (entry) => entry.subarray(1))
    await room.delivery.remove(before.meeting.self.leaf)
    const { bob } = await backAgain(room, device)
    await room.agreed([alice, bob, carol, dan], all)
  })

  it('of another group than the meeting has now leaves nothing of it', async () => {
    const room = Room.open()
    const device = new Device()
    const process = device.start()
    const joining = room.begin('bob', (port) => process.useOf(port), { store: process.store })
    await room.until(() => joining.client !== undefined)
    const [group] = await device.entriesOf('membership')
    process.die()
    room.delivery.end()
    const { bob } = await backAgain(room, device)
    expect(bob.meeting.view.epoch).toBe(0n)
    await room.rest()
    const [present] = await device.entriesOf('membership')
    expect(present).not.toEqual(group)
    expect(bob.witness.ended).toEqual([])
  })
})

describe('messages', () => {
  it('of a process that is back are read by all, and none is read twice by it', async () => {
    const { room, device, process, alice, before } = await settledMeeting()
    await before.meeting.send({ text: 'before' })
    const said: Uint8Array[] = []
    const sent = alice.port.request.bind(alice.port)
    alice.port.request = async (name, request) => {
      if (name === 'send' && 'message' in request) said.push(request.message as Uint8Array)
      return await sent(name, request)
    }
    await alice.meeting.send({ text: 'once' })
    await room.until(() => before.witness.chat.includes('alice: once'))
    const stored = await device.entriesOf('membership')
    await before.meeting.send({ text: 'with a key that was reserved' })
    expect(await device.entriesOf('membership')).toEqual(stored)
    process.die()
    const again = device.start()
    const coming = room.begin('bob', (port) => again.useOf(port), { store: again.store })
    await room.until(() => coming.client !== undefined)
    const bob = coming.client as Client
    const [message] = said
    const groupId = room.delivery.group?.groupId
    if (message === undefined || groupId === undefined) throw new Error('nothing was said')
    bob.port.inject({ name: 'message', notice: { groupId, message: message.slice() } })
    await bob.meeting.send({ text: 'after' })
    await room.until(() => alice.witness.chat.includes('bob: after'))
    expect(bob.witness.chat).toEqual([])
    expect(alice.witness.chat).toEqual([
      'bob: before',
      'bob: with a key that was reserved',
      'bob: after',
    ])
    expect(alice.witness.problems).toEqual([])
  })
})

/** How many things a process does that nothing befalls. */
const steps = Array.from({ length: 40 }, (_, i) => i + 1)

describe('a process that dies in the middle of anything', () => {
  it.each(steps)('at step %i has its place when it is started again', async (diesAt) => {
    const room = Room.open()
    const device = new Device()
    const process = device.start(diesAt)
    const { alice, carol, dan, joining } = await withBob(room, process)
    process.die()
    const wasIn = joining.client?.meeting.self.leaf
    const [kept] = await device.entriesOf('membership')
    const { bob } = await backAgain(room, device)
    await room.agreed([alice, bob, carol, dan], all)
    expect([alice, bob, carol, dan].map(({ witness }) => witness.ended)).toEqual([[], [], [], []])
    // Whatever the log has of it, the state that was kept applies.
    if (kept !== undefined) expect(bob.port.count('groupInfo')).toBe(0)
    if (wasIn !== undefined) {
      expect(bob.meeting.self.leaf, process.done.at(-1)).toBe(wasIn)
      expect(alice.witness.left).toEqual([])
    }
  })
})

describe('what a session has stored', () => {
  it.each<[string, (client: Client, room: Room) => Promise<unknown>]>([
    ['left', (client) => client.meeting.leave()],
    ['been removed', async (client, room) => room.delivery.remove(client.meeting.self.leaf)],
    ['failed', async ({ port }) => port.reject('token-expired')],
    ['seen the meeting end', async (_, room) => room.delivery.end()],
  ])('is gone when it has %s', async (_, end) => {
    const room = Room.open()
    const device = new Device()
    const process = device.start()
    const joining = room.begin('bob', (port) => process.useOf(port), { store: process.store })
    await room.join('alice')
    await room.until(() => joining.client !== undefined)
    const bob = joining.client as Client
    expect([...(await device.contents()).keys()].filter((key) => /^meeting/.test(key))).not.toEqual(
      [],
    )
    await end(bob, room)
    await room.until(() => bob.witness.ended.length > 0)
    await room.rest()
    expect([...(await device.contents()).keys()]).toEqual(['device-key'])
  })
})
