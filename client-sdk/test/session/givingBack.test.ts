import { packEntries, unpackEntries } from '@conclave/core/delivery'
import { describe, expect, it } from 'vitest'
import { refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

const names = ['alice', 'bob', 'carol'] as const
type Three = [Client, Client, Client]

/** A meeting in which everybody has taken in, and kept, the last entries. */
async function meeting(): Promise<{ room: Room; clients: Three; all: readonly string[] }> {
  const room = Room.open()
  const clients = (await room.meetingOf(...names)) as Three
  const more = [await room.join('dave'), await room.join('erin')]
  const all = [...names, 'dave', 'erin']
  await room.agreed([...clients, ...more], all)
  return { room, clients, all }
}

/** The keyserver has crashed, lost the newest entries and come back. */
async function loses(room: Room, entries: number): Promise<void> {
  for (const port of room.delivery.ports) port.drop()
  await room.rest()
  await room.delivery.lose(entries)
}

/** Everybody who is not there comes back. */
function gather({ delivery }: Room): void {
  for (const port of delivery.ports) if (!port.connected) port.connect()
}

function given({ port }: Client): number {
  return port.count('giveBack')
}

function headOf({ delivery }: Room): number {
  return delivery.group?.log.length ?? -1
}

function groupOf({ delivery }: Room): Uint8Array<ArrayBuffer> {
  return delivery.group?.groupId ?? new Uint8Array()
}

const rolledBack = { reason: 'failed', error: { code: 'log-rolled-back' } }

describe('a keyserver that has lost the end of the log', () => {
  it.each([1, 2])(
    'gets %i entries back from who comes first, and the meeting goes on',
    async (n) => {
      const { room, clients, all } = await meeting()
      const [alice] = clients
      const { epoch } = alice.meeting.view
      const head = headOf(room)
      await loses(room, n)
      alice.port.connect()
      await room.until(() => headOf(room) === head)
      expect(given(alice)).toBe(1)
      gather(room)
      const frank = await room.join('frank')
      await room.agreed([...clients, frank], [...all, 'frank'])
      expect(clients.map(given)).toEqual([1, 0, 0])
      expect(alice.meeting.view.epoch).toBe(epoch + 1n)
      for (const { witness } of clients) {
        expect(witness.ended).toEqual([])
        expect(witness.problems).toEqual([])
      }
    },
  )

  it('and refuses a commit that refers to it gets it back, from who has been there all the time', async () => {
    const { room, clients, all } = await meeting()
    const [alice, bob, carol] = clients
    let lost = false
    for (const port of room.delivery.ports) {
      port.tamper.commit = async ({ after }, honest) => {
        if (!lost) await room.delivery.lose(1)
        lost = true
        return after > headOf(room) ? refuse('message-invalid') : await honest()
      }
    }
    await room.delivery.remove(carol.meeting.self.leaf)
    await room.agreed(
      [alice, bob],
      all.filter((name) => name !== 'carol'),
    )
    expect(lost).toBe(true)
    const givers = room.delivery.ports.filter((port) => port.count('giveBack') > 0)
    expect(givers).not.toEqual([])
    for (const { witness } of [alice, bob]) {
      expect(witness.ended).toEqual([])
      expect(witness.lost).toEqual([])
    }
  })

  it('gets them once, whoever else comes at the same time', async () => {
    const { room, clients, all } = await meeting()
    const head = headOf(room)
    await loses(room, 2)
    gather(room)
    const frank = await room.join('frank')
    await room.agreed([...clients, frank], [...all, 'frank'])
    expect(headOf(room)).toBe(head + 1)
    expect(clients.every(({ witness }) => witness.ended.length === 0)).toBe(true)
  })

  it('gets them from who has more, where somebody has given some', async () => {
    const { room, clients, all } = await meeting()
    const [alice, bob] = clients
    const head = headOf(room)
    const log = room.delivery.group?.log.slice() ?? []
    await loses(room, 2)
    alice.port.tamper.giveBack = async (_, honest) => {
      // Another member was faster, with the first of the two.
      bob.port.connect()
      await room.rest()
      return honest()
    }
    bob.port.tamper.giveBack = async (request) => {
      const entries = packEntries(log.slice(request.after, request.after + 1))
      return room.delivery.handle(bob.port, 'giveBack', { ...request, entries })
    }
    alice.port.connect()
    await room.until(() => headOf(room) === head)
    gather(room)
    const frank = await room.join('frank')
    await room.agreed([...clients, frank], [...all, 'frank'])
  })

  it('is not left by who came too late to give it anything, for as long as others may', async () => {
    const { room, clients, all } = await meeting()
    const newest = room.delivery.ports.at(-1)
    await loses(room, 2)
    newest?.connect()
    await room.pass(5_000)
    expect(newest?.closed).toBe(false)
    expect(newest?.count('giveBack')).toBe(0)
    gather(room)
    const frank = await room.join('frank')
    await room.agreed([...clients, frank], [...all, 'frank'])
    expect(newest?.closed).toBe(false)
  })

  it('is not said to have, where the log has been trimmed right up to where we are', async () => {
    const { room, clients, all } = await meeting()
    const [alice] = clients
    const head = headOf(room)
    alice.port.drop()
    alice.port.tamper.resume = async ({ after }, honest) =>
      after < head ? refuse('seq-out-of-range') : honest()
    alice.port.connect()
    const frank = await room.join('frank')
    await room.agreed([...clients, frank], [...all, 'frank'])
    expect(given(alice)).toBe(0)
  })

  it('knows again who is there', async () => {
    const { room, clients } = await meeting()
    const [alice] = clients
    // Without losing a connection, as when another replica takes over.
    await room.delivery.lose(1)
    expect(room.delivery.group?.present.size).toBe(0)
    const entry = { seq: headOf(room) + 3, message: new Uint8Array() }
    alice.port.inject({ name: 'entry', notice: { groupId: groupOf(room), entry } })
    await room.until(() => (room.delivery.group?.present.size ?? 0) > 0)
    expect(given(alice)).toBe(1)
    expect([...(room.delivery.group?.present.keys() ?? [])]).toContain(alice.meeting.self.leaf)
  })

  it('is not given what does not go on from what others have sent since', async () => {
    const { room, clients } = await meeting()
    const [alice] = clients
    await loses(room, 1)
    const lost = headOf(room) + 1
    room.delivery.append(Uint8Array.of(1, 2, 3))
    alice.port.connect()
    await room.until(() => alice.witness.ended.length === 1)
    expect(alice.witness.ended[0]).toMatchObject(rolledBack)
    expect(headOf(room)).toBe(lost)
  })

  it('cannot be helped by who has not seen enough of the log', async () => {
    const { room, clients } = await meeting()
    const [, , carol] = clients
    await loses(room, headOf(room))
    carol.port.connect()
    await room.until(() => carol.witness.ended.length === 1)
    expect(carol.witness.ended[0]).toMatchObject(rolledBack)
    expect(given(carol)).toBe(0)
  })

  it('is asked for nothing new in its first version', async () => {
    const { room, clients } = await meeting()
    const [alice] = clients
    await loses(room, 1)
    room.delivery.minor = 0
    alice.port.connect()
    await room.until(() => alice.witness.ended.length === 1)
    expect(alice.witness.ended[0]).toMatchObject(rolledBack)
    expect(given(alice)).toBe(0)
  })
})

describe('a keyserver that does not take what it lacks', () => {
  it('because the entries do not chain, as it says, ends the session', async () => {
    const { room, clients } = await meeting()
    const [alice] = clients
    await loses(room, 2)
    alice.port.tamper.giveBack = async (request) => {
      const entries = packEntries(unpackEntries(request.entries).slice(1))
      return room.delivery.handle(alice.port, 'giveBack', { ...request, entries })
    }
    alice.port.connect()
    await room.until(() => alice.witness.ended.length === 1)
    expect(alice.witness.ended[0]).toMatchObject(rolledBack)
    expect(given(alice)).toBe(10)
  })

  it.each(['entries-inapplicable', 'ok'] as const)('and says %s, ends it', async (answer) => {
    const { room, clients } = await meeting()
    const [alice] = clients
    await loses(room, 2)
    alice.port.tamper.giveBack = () =>
      Promise.resolve(answer === 'ok' ? { ok: true, head: 1_000 } : refuse(answer))
    alice.port.connect()
    await room.until(() => alice.witness.ended.length === 1)
    expect(alice.witness.ended[0]).toMatchObject(rolledBack)
    expect(given(alice)).toBe(10)
  })

  it('for now is asked again later', async () => {
    const { room, clients, all } = await meeting()
    const [alice] = clients
    await loses(room, 1)
    alice.port.tamper.giveBack = () => {
      delete alice.port.tamper.giveBack
      return Promise.resolve(refuse('unavailable'))
    }
    gather(room)
    const frank = await room.join('frank')
    await room.agreed([...clients, frank], [...all, 'frank'])
  })

  it('since the group is gone, has ended the meeting', async () => {
    const { room, clients } = await meeting()
    const [alice] = clients
    await loses(room, 1)
    alice.port.tamper.giveBack = () => {
      alice.port.tamper.resume = () => Promise.resolve(refuse('group-unknown'))
      return Promise.resolve(refuse('group-unknown'))
    }
    alice.port.connect()
    await room.until(() => alice.witness.ended.length === 1)
    expect(alice.witness.ended[0]?.reason).toBe('closed')
  })
})

describe('a log that says something else than it did', () => {
  it('ends the session that sees it', async () => {
    const { room, clients } = await meeting()
    const [alice, bob] = clients
    const entry = { seq: headOf(room), message: Uint8Array.of(1) }
    alice.port.inject({ name: 'entry', notice: { groupId: groupOf(room), entry } })
    await room.until(() => alice.witness.ended.length === 1)
    expect(alice.witness.ended[0]).toMatchObject(rolledBack)
    expect(bob.witness.ended).toEqual([])
  })
})
