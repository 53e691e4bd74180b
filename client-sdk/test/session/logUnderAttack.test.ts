import type { RefusalCode } from '@conclave/core/delivery'
import { describe, expect, it } from 'vitest'
import type { AnyNotice, Port } from './support/port.ts'
import { refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

type EntryNotice = Extract<AnyNotice, { name: 'entry' }>['notice']

/** What becomes of each new entry on its way to one client. */
function entries(change: (notice: EntryNotice) => readonly EntryNotice[]): Port['notices'] {
  return (notice) =>
    notice.name === 'entry'
      ? change(notice.notice).map((changed) => ({ name: 'entry', notice: changed }))
      : [notice]
}

function withMessage(notice: EntryNotice, message: EntryNotice['entry']['message']): EntryNotice {
  return { ...notice, entry: { ...notice.entry, message } }
}

function flippedAt(bytes: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  const changed = bytes.slice()
  const index = at < 0 ? bytes.length + at : at
  changed[index] = (changed[index] ?? 0) ^ 1
  return changed
}

/** A meeting of four, of which the last is given a log that was tampered with. */
async function meetingWith(notices: (room: Room) => Port['notices']) {
  const room = Room.open()
  const clients = await room.meetingOf('alice', 'bob', 'carol')
  const victim = await room.join('victim', (port) => {
    port.notices = notices(room)
  })
  return { room, clients, victim }
}

/** Another epoch. */
async function churn(room: Room, name: string): Promise<Client> {
  return await room.join(name)
}

describe('a log that comes in disorder', () => {
  it('entries that come twice count once', async () => {
    const { room, clients, victim } = await meetingWith(() => entries((notice) => [notice, notice]))
    const dan = await churn(room, 'dan')
    await room.agreed([...clients, victim, dan], ['alice', 'bob', 'carol', 'dan', 'victim'])
    expect(victim.witness.problems).toEqual([])
  })

  it('entries that do not come are asked for when a later one does', async () => {
    let lossy = false
    const { room, clients, victim } = await meetingWith(() =>
      entries((notice) => (lossy ? [] : [notice])),
    )
    lossy = true
    const more = [await churn(room, 'dan'), await churn(room, 'erin')]
    lossy = false
    more.push(await churn(room, 'frank'))
    const names = ['alice', 'bob', 'carol', 'dan', 'erin', 'frank', 'victim']
    await room.agreed([...clients, victim, ...more], names)
  })

  it('entries that come in the wrong order are put right', async () => {
    const held: EntryNotice[] = []
    const { room, clients, victim } = await meetingWith(() =>
      entries((notice) => (held.push(notice) < 2 ? [] : held.splice(0).reverse())),
    )
    const more: Client[] = []
    for (const name of ['dan', 'erin', 'frank']) more.push(await churn(room, name))
    const names = ['alice', 'bob', 'carol', 'dan', 'erin', 'frank', 'victim']
    await room.agreed([...clients, victim, ...more], names)
  })

  it('entries of another group are ignored', async () => {
    const { room, clients, victim } = await meetingWith(() =>
      entries((notice) => [{ ...notice, groupId: new Uint8Array(16) }, notice]),
    )
    const dan = await churn(room, 'dan')
    await room.agreed([...clients, victim, dan], ['alice', 'bob', 'carol', 'dan', 'victim'])
  })

  it('an entry that was announced before the log had it is asked for again', async () => {
    const { room, clients, victim } = await meetingWith(() => (notice) => [notice])
    const before = victim.port.count('resume')
    let behind = true
    const tooEarly = entries((notice) => [
      { ...notice, entry: { ...notice.entry, seq: notice.entry.seq + 1 } },
    ])
    // Of who waits it is told nothing, so that it commits nothing itself.
    victim.port.notices = (notice) => (notice.name === 'waiting' ? [] : tooEarly(notice))
    victim.port.tamper.resume = async ({ after }, honest) => {
      const reply = await honest()
      return behind && reply.ok ? { ...reply, entries: [], head: after, waiting: [] } : reply
    }
    const dan = await churn(room, 'dan')
    await room.rest()
    expect(victim.port.count('resume') - before).toBe(1)
    behind = false
    await room.agreed([...clients, victim, dan], ['alice', 'bob', 'carol', 'dan', 'victim'])
    expect(victim.port.count('resume') - before).toBe(2)
  })

  it('entries far ahead make nobody ask more than once, and a few times more afterwards', async () => {
    const { room, clients, victim } = await meetingWith(() => (notice) => [notice])
    const groupId = victimGroup(room)
    const before = victim.port.count('resume')
    for (let i = 0; i < 2_000; i++) {
      const entry = { seq: 2 ** 40 + i, message: new Uint8Array(1_000) }
      victim.port.inject({ name: 'entry', notice: { groupId, entry } })
    }
    const dan = await churn(room, 'dan')
    await room.agreed([...clients, victim, dan], ['alice', 'bob', 'carol', 'dan', 'victim'])
    expect(victim.port.count('resume') - before).toBe(1)
    await room.pass(3_000)
    const after = victim.port.count('resume')
    expect(after - before).toBe(4)
    await room.pass(60_000)
    expect(victim.port.count('resume')).toBe(after)
  })

  it('a flood of notices beyond what is kept is made up for by asking', async () => {
    const { room, clients, victim } = await meetingWith(() => (notice) => [notice])
    const groupId = victimGroup(room)
    const flood = Uint8Array.from({ length: 1 << 20 })
    for (let i = 0; i < 200; i++) {
      const entry = { seq: 1, message: flood }
      victim.port.inject({ name: 'entry', notice: { groupId, entry } })
    }
    // Dropped, since nothing has been looked at yet.
    const dan = room.begin('dan')
    await room.until(() => dan.client !== undefined)
    await room.agreed([...clients, victim], ['alice', 'bob', 'carol', 'dan', 'victim'])
  })
})

describe('a log with entries that are not what they should be', () => {
  it('what is no message at all is reported by everyone, and the meeting goes on', async () => {
    const room = Room.open()
    const clients = await room.meetingOf('alice', 'bob', 'carol')
    room.delivery.append(Uint8Array.of(1, 2, 3))
    room.delivery.append(new Uint8Array(0))
    const dan = await churn(room, 'dan')
    await room.agreed([...clients, dan], ['alice', 'bob', 'carol', 'dan'])
    for (const { witness } of clients) {
      expect(witness.problems.map(({ code }) => code)).toEqual([
        'codec-unknown-case',
        'codec-truncated',
      ])
    }
  })

  it('proposals of an earlier epoch are reported, and the meeting goes on', async () => {
    const room = Room.open()
    const clients = await room.meetingOf('alice', 'bob', 'carol')
    const [, bob] = clients
    const removal = await room.delivery.remove(bob?.meeting.self.leaf ?? -1)
    await room.until(() => bob?.witness.ended.length === 1)
    expect(bob?.witness.ended).toEqual([{ reason: 'removed', error: undefined }])
    room.delivery.append(removal.message)
    const dan = await churn(room, 'dan')
    const left = clients.filter((client) => client !== bob)
    await room.agreed([...left, dan], ['alice', 'carol', 'dan'])
    for (const { witness } of left) {
      expect(witness.problems.map(({ code }) => code)).toEqual(['message-epoch-past'])
    }
  })

  it.each([
    ['the last byte', -1],
    ['the middle', 200],
  ])('a commit changed at %s ends the one who was given it, and only that one', async (_, at) => {
    let armed = false
    const { room, clients, victim } = await meetingWith(() =>
      entries((notice) => {
        if (!armed) return [notice]
        return [withMessage(notice, flippedAt(notice.entry.message, at))]
      }),
    )
    armed = true
    const [alice] = clients as [Client, ...Client[]]
    void alice.meeting.leave()
    const { ended, lost } = victim.witness
    await room.until(() => ended.length + lost.length === 1)
    // Where the commit is its own, it knows what the log should have.
    const { code } = ended[0]?.error ?? lost[0] ?? {}
    expect(code).toBe(ended.length === 1 ? 'log-rolled-back' : 'log-inapplicable')
  })

  it('an epoch with no end of rubbish is not followed', async () => {
    const { room, clients, victim } = await meetingWith(() => (notice) => [notice])
    let seq = room.delivery.group?.log.length ?? 0
    const first = seq
    victim.port.tamper.resume = async ({ after }, honest) => {
      if (after < first) return honest()
      const page = Array.from({ length: 256 }, () => ({ seq: ++seq, message: Uint8Array.of(1) }))
      return { ok: true, entries: page, head: seq + 1, waiting: [], present: [] }
    }
    const entry = { seq: 2 ** 40, message: new Uint8Array() }
    victim.port.inject({ name: 'entry', notice: { groupId: victimGroup(room), entry } })
    await room.until(() => victim.witness.lost.length === 1)
    expect(victim.witness.lost[0]).toMatchObject({
      code: 'log-inapplicable',
      detail: 'keyserver-protocol-violated',
    })
    expect(victim.witness.problems.length).toBeLessThan(10_000)
    expect(clients.every(({ witness }) => witness.ended.length === 0)).toBe(true)
  })
})

describe('a keyserver that lies about the log', () => {
  /** Makes the victim ask. */
  function provoke(room: Room, { port }: Client): void {
    const entry = { seq: 2 ** 40, message: new Uint8Array() }
    port.inject({ name: 'entry', notice: { groupId: victimGroup(room), entry } })
  }

  it('a log whose head grows but whose entries do not come ends the session', async () => {
    const { room, victim } = await meetingWith(() => (notice) => [notice])
    let head = 1_000
    victim.port.tamper.resume = async (_, honest) => {
      head += 1
      return { ...(await honest()), entries: [], head }
    }
    provoke(room, victim)
    await room.until(() => victim.witness.ended.length === 1)
    expect(victim.witness.ended[0]?.error?.code).toBe('keyserver-protocol-violated')
    expect(victim.port.count('resume')).toBeLessThan(5)
  })

  it('a log that repeats old entries without end ends the session', async () => {
    const { room, victim } = await meetingWith(() => (notice) => [notice])
    victim.port.tamper.resume = async (_, honest) => {
      const entries = room.delivery.group?.log.slice(0, 2) ?? []
      return { ...(await honest()), entries, head: 1_000_000 }
    }
    provoke(room, victim)
    await room.until(() => victim.witness.ended.length === 1)
    expect(victim.witness.ended[0]?.error?.code).toBe('keyserver-protocol-violated')
  })

  it('a log that is shorter than it was ends the session', async () => {
    const { room, victim } = await meetingWith(() => (notice) => [notice])
    victim.port.tamper.resume = async (_, honest) => ({ ...(await honest()), head: 1 })
    provoke(room, victim)
    await room.until(() => victim.witness.ended.length === 1)
    expect(victim.witness.ended[0]?.error?.code).toBe('log-rolled-back')
  })

  it.each([
    ['seq-out-of-range', 'failed', 'log-rolled-back'],
    ['group-unknown', 'closed', 'meeting-closed'],
    ['request-malformed', 'failed', 'keyserver-refused'],
    ['not-permitted', 'failed', 'keyserver-refused'],
  ] as const)('a log refused with %s ends the session: %s', async (code, reason, error) => {
    const { room, victim } = await meetingWith(() => (notice) => [notice])
    victim.port.tamper.resume = () => Promise.resolve(refuse(code))
    provoke(room, victim)
    await room.until(() => victim.witness.ended.length === 1)
    expect(victim.witness.ended[0]).toMatchObject({ reason, error: { code: error } })
  })

  it.each(['rate-limited', 'internal', 'not-entered'] as const satisfies RefusalCode[])(
    'a log refused with %s is asked for again, not faster than once a second',
    async (code) => {
      const { room, clients, victim } = await meetingWith(() => (notice) => [notice])
      const before = victim.port.count('resume')
      victim.port.tamper.resume = () => {
        if (code === 'not-entered') victim.port.entered = false
        return Promise.resolve(refuse(code))
      }
      provoke(room, victim)
      await room.pass(10_000)
      expect(victim.port.count('resume') - before).toBeLessThanOrEqual(11)
      expect(victim.witness.problems.length).toBeGreaterThanOrEqual(9)
      delete victim.port.tamper.resume
      const dan = await churn(room, 'dan')
      await room.agreed([...clients, victim, dan], ['alice', 'bob', 'carol', 'dan', 'victim'])
    },
  )

  it('a log in which our leaf is not ours goes on without us', async () => {
    const room = Room.open()
    const victim = await room.join('victim', (port) => {
      port.tamper.attach = () => Promise.resolve(refuse('presence-invalid'))
    })
    await room.until(() => victim.witness.ended.length === 1)
    expect(victim.witness.ended[0]).toMatchObject({
      reason: 'failed',
      error: { code: 'log-rolled-back', cause: { detail: 'presence-invalid' } },
    })
  })

  it('a group that is gone when we say that we are there has ended', async () => {
    const room = Room.open()
    const victim = await room.join('victim', (port) => {
      port.tamper.attach = () => {
        port.tamper.resume = () => Promise.resolve(refuse('group-unknown'))
        return Promise.resolve(refuse('group-unknown'))
      }
    })
    await room.until(() => victim.witness.ended.length === 1)
    expect(victim.witness.ended[0]).toMatchObject({
      reason: 'closed',
      error: { code: 'meeting-closed' },
    })
  })

  it('a group that is said to have ended ends the session, another one does not', async () => {
    const { room, victim } = await meetingWith(() => (notice) => [notice])
    const groupId = new Uint8Array(16)
    victim.port.inject({ name: 'closed', notice: { groupId, reason: 'ended' } })
    await room.pass(1_000)
    expect(victim.witness.ended).toEqual([])
    victim.port.inject({ name: 'closed', notice: { groupId: victimGroup(room), reason: 'ended' } })
    await room.until(() => victim.witness.ended.length === 1)
    expect(victim.witness.ended[0]).toMatchObject({
      reason: 'closed',
      error: { code: 'meeting-closed' },
    })
  })

  it('news of another group has the log asked, once a second, and ends nothing by itself', async () => {
    const { room, victim } = await meetingWith(() => (notice) => [notice])
    const asked = victim.port.count('resume')
    const notice = { groupId: new Uint8Array(16), leaves: [] }
    for (let i = 0; i < 100; i++) victim.port.inject({ name: 'present', notice })
    await room.pass(1_500)
    expect(victim.port.count('resume')).toBe(asked + 1)
    expect(victim.witness.ended).toEqual([])
    victim.port.tamper.resume = () => Promise.resolve(refuse('group-unknown'))
    victim.port.inject({ name: 'present', notice })
    await room.until(() => victim.witness.ended.length === 1)
    expect(victim.witness.ended[0]?.reason).toBe('closed')
  })

  it('another group after reconnecting ends the session', async () => {
    const { room, victim } = await meetingWith(() => (notice) => [notice])
    victim.port.tamper.enter = async (_, honest) => ({
      ...(await honest()),
      group: { groupId: new Uint8Array(16), epoch: 0, head: 0 },
    })
    victim.port.drop()
    victim.port.connect()
    await room.until(() => victim.witness.ended.length === 1)
    expect(victim.witness.ended[0]?.reason).toBe('closed')
    expect(victim.witness.connection).toEqual([false, true])
  })

  it('connecting ten times before the first has been noticed enters once', async () => {
    const { room, clients, victim } = await meetingWith(() => (notice) => [notice])
    for (let i = 0; i < 10; i++) {
      victim.port.drop()
      victim.port.connect()
    }
    const dan = await churn(room, 'dan')
    await room.agreed([...clients, victim, dan], ['alice', 'bob', 'carol', 'dan', 'victim'])
  })
})

function victimGroup({ delivery }: Room): Uint8Array<ArrayBuffer> {
  return delivery.group?.groupId ?? new Uint8Array()
}
