import { expect, it } from 'vitest'
import { type Client, Room } from './support/room.ts'

const names = Array.from({ length: 12 }, (_, i) => `member ${i}`)

it('those who were removed together come back together, as leaves that others add', async () => {
  const room = Room.open('the real one')
  const clients = await room.meetingOf(...names)
  const [staying, away] = [clients.slice(0, 4), clients.slice(4)]
  for (const { port } of away) port.drop()
  await room.agreed(staying, names.slice(0, 4))
  const { epoch } = (staying[0] as Client).meeting.view
  for (const { port } of away) port.connect()
  await room.agreed(clients, names)
  for (const { meeting, witness } of away) {
    expect(witness.lost).toMatchObject([{ code: 'removed-while-away' }])
    expect(meeting.view.epoch - epoch).toBeLessThanOrEqual(3n)
  }
})

it('whoever was removed is let into no epoch before', async () => {
  const room = Room.open()
  room.delivery.describes = true
  const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
  const carol = await room.join('carol')
  await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
  bob.port.drop()
  await room.rest()
  await room.delivery.remove(bob.meeting.self.leaf, { reason: 'absent' })
  await room.agreed([alice, carol], ['alice', 'carol'])
  const held = Promise.withResolvers<void>()
  bob.port.tamper.wait = async (_, honest) => {
    await held.promise
    return honest()
  }
  bob.port.connect()
  await room.until(() => bob.witness.lost.length === 1)
  for (const { port } of [alice, carol]) port.drop()
  await room.delivery.lose(4)
  await room.join('dave')
  held.resolve()
  await room.until(() => bob.meeting.view.epoch > 2n)
  // Of the first Welcome, to another epoch 2, he makes nothing, and waits once more.
  expect(bob.meeting.view.epoch).toBe(3n)
  expect(bob.port.count('wait')).toBe(3)
})
