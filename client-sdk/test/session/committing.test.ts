import { emptyBytes, encode } from '@conclave/core/codec'
import type { RefusalCode, WaitingJoiner } from '@conclave/core/delivery'
import { MlsMessage, ProtocolVersion, WireFormat } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { joinerOf } from './support/people.ts'
import { refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

/** Every refusal of a commit that leaves its sender in the group. */
const refusals: readonly RefusalCode[] = [
  'request-malformed',
  'payload-too-large',
  'rate-limited',
  'not-permitted',
  'message-invalid',
  'key-package-invalid',
]

async function alone(): Promise<{ room: Room; alice: Client; groupId: Uint8Array<ArrayBuffer> }> {
  const room = Room.open()
  const [alice] = await room.meetingOf('alice')
  const groupId = room.delivery.group?.groupId ?? new Uint8Array()
  return { room, alice: alice as Client, groupId }
}

describe('whose turn it is to commit', () => {
  it('is not that of whoever was given the leaf of somebody who has gone, and is not there yet', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    // She hears of nobody's coming and going but by the log.
    alice.port.notices = (notice) => (notice.name === 'present' ? [] : [notice])
    void bob.meeting.leave()
    await room.agreed([alice], ['alice'])
    room.begin('carol', (port) => {
      port.tamper.tree = () => new Promise(() => {})
    })
    await room.agreed([alice], ['alice', 'carol'])
    expect(alice.meeting.view.members.map(({ leaf }) => leaf)).toEqual([0, 1])
    const commits = alice.port.count('commit')
    room.begin('dan')
    // Carol, who has never committed, would be the first.
    await room.pass(100)
    expect(alice.port.count('commit')).toBe(commits + 1)
  })
})

describe('a commit that the keyserver refuses', () => {
  it.each(refusals)('%s: it is discarded and tried again, ever more rarely', async (code) => {
    const { room, alice } = await alone()
    alice.port.tamper.commit = () => Promise.resolve(refuse(code))
    const bob = room.begin('bob')
    await room.pass(30_000)
    // 100 ms, then pauses of 0.5, 1, 2, 4, 8, 10 s between them.
    expect(alice.port.count('commit')).toBe(7)
    expect(alice.witness.problems.map((problem) => 'detail' in problem && problem.detail)).toEqual(
      Array.from({ length: 7 }, () => code),
    )
    delete alice.port.tamper.commit
    await room.until(() => bob.client !== undefined)
    expect(alice.witness.ended).toEqual([])
  })

  it('group-unknown ends the session: the group is over', async () => {
    const { room, alice } = await alone()
    alice.port.tamper.commit = () => Promise.resolve(refuse('group-unknown'))
    room.begin('bob')
    await room.until(() => alice.witness.ended.length === 1)
    expect(alice.witness.ended[0]?.reason).toBe('closed')
  })

  it('an epoch that is said to be over and is not makes nobody commit in a circle', async () => {
    const { room, alice } = await alone()
    alice.port.tamper.commit = () => Promise.resolve(refuse('epoch-mismatch'))
    room.begin('bob')
    await room.pass(30_000)
    expect(alice.port.count('commit')).toBe(7)
    expect(alice.witness.ended).toEqual([])
  })

  it('not-entered keeps the commit, which is sent again once the connection has entered', async () => {
    const { room, alice } = await alone()
    let refused = false
    alice.port.tamper.commit = async (_, honest) => {
      if (refused) return honest()
      refused = true
      alice.port.entered = false
      return refuse('not-entered')
    }
    const bob = room.begin('bob')
    await room.until(() => bob.client !== undefined)
    const [first, second] = alice.port.requests.filter(({ name }) => name === 'commit')
    expect(second?.request).toMatchObject({ message: Object(first?.request).message })
  })
})

describe('a commit whose answer is wrong or stays out', () => {
  describe.each(['unavailable', 'internal'] as const)('%s: it may be in the log', (code) => {
    it('and is confirmed by the log if it is', async () => {
      const { room, alice } = await alone()
      alice.port.tamper.commit = async (_, honest) => {
        await honest()
        return refuse(code)
      }
      alice.port.notices = (notice) => (notice.name === 'entry' ? [] : [notice])
      const bob = await room.join('bob')
      await room.agreed([alice, bob], ['alice', 'bob'])
      expect(alice.witness.problems).toMatchObject([{ detail: code }])
      expect(alice.port.count('commit')).toBe(1)
    })

    it('and is sent again, the same, if it is not', async () => {
      const { room, alice } = await alone()
      alice.port.tamper.commit = () => Promise.resolve(refuse(code))
      const bob = room.begin('bob')
      await room.pass(5_000)
      delete alice.port.tamper.commit
      await room.until(() => bob.client !== undefined)
      const commits = alice.port.requests.filter(({ name }) => name === 'commit')
      expect(commits.length).toBeGreaterThan(3)
      expect(new Set(commits.map(({ request }) => Object(request).message)).size).toBe(1)
      expect(alice.witness.ended).toEqual([])
    })
  })

  it('a commit that is accepted but never on the log ends the session', async () => {
    const { room, alice } = await alone()
    alice.port.tamper.commit = () => Promise.resolve({ ok: true, seq: 1_000, durable: true })
    room.begin('bob')
    await room.until(() => alice.witness.ended.length === 1)
    expect(alice.witness.ended[0]).toMatchObject({
      reason: 'failed',
      error: { code: 'keyserver-protocol-violated' },
    })
  })

  it('a commit that is accepted in a place that is taken ends the session', async () => {
    const { room, alice } = await alone()
    alice.port.tamper.commit = () => Promise.resolve({ ok: true, seq: 0, durable: true })
    room.begin('bob')
    await room.until(() => alice.witness.ended.length === 1)
    expect(alice.witness.ended[0]?.error?.code).toBe('keyserver-protocol-violated')
  })

  it('a commit that won while the connection was lost is confirmed by the log', async () => {
    const { room, alice } = await alone()
    alice.port.tamper.commit = async (_, honest) => {
      delete alice.port.tamper.commit
      await honest()
      alice.port.drop()
      return new Promise(() => {})
    }
    alice.port.notices = (notice) => (notice.name === 'entry' ? [] : [notice])
    const bob = room.begin('bob')
    await room.until(() => alice.port.count('commit') === 1)
    await room.rest()
    alice.port.notices = (notice) => [notice]
    alice.port.connect()
    await room.until(() => bob.client !== undefined)
    await room.agreed([alice, bob.client as Client], ['alice', 'bob'])
    expect(alice.port.count('commit')).toBe(1)
  })

  it('a commit whose answer is still out is not sent again on the same connection', async () => {
    const { room, alice, groupId } = await alone()
    const answer = Promise.withResolvers<void>()
    alice.port.tamper.commit = async (_, honest) => {
      await answer.promise
      return honest()
    }
    const bob = room.begin('bob')
    await room.until(() => alice.port.count('commit') === 1)
    alice.port.tamper.resume = () => {
      delete alice.port.tamper.resume
      return Promise.resolve(refuse('rate-limited'))
    }
    const entry = { seq: 1_000, message: new Uint8Array() }
    alice.port.inject({ name: 'entry', notice: { groupId, entry } })
    await room.until(() => alice.port.count('attach') === 2)
    answer.resolve()
    await room.until(() => bob.client !== undefined)
    expect(alice.port.count('commit')).toBe(1)
  })

  it('a commit that did not arrive is sent again after reconnecting', async () => {
    const { room, alice } = await alone()
    alice.port.tamper.commit = () => {
      delete alice.port.tamper.commit
      alice.port.drop()
      return new Promise(() => {})
    }
    const bob = room.begin('bob')
    await room.until(() => alice.port.count('commit') === 1)
    await room.rest()
    alice.port.connect()
    await room.until(() => bob.client !== undefined)
    const sent = alice.port.requests.filter(({ name }) => name === 'commit')
    expect(new Set(sent.map(({ request }) => Object(request).message)).size).toBe(1)
  })

  it('of two commits at once one wins, and the other is wiped and its joiners not forgotten', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    // Both hold back their commit until both have made one.
    const made = Promise.withResolvers<void>()
    let count = 0
    for (const { port } of [alice, bob]) {
      port.tamper.commit = async (_, honest) => {
        count += 1
        if (count === 2) made.resolve()
        await made.promise
        return honest()
      }
    }
    const joiners = ['carol', 'dan'].map((name) => room.begin(name))
    await room.until(() => joiners.every(({ client }) => client !== undefined))
    const clients = [alice, bob, ...joiners.map(({ client }) => client as Client)]
    await room.agreed(clients, ['alice', 'bob', 'carol', 'dan'])
    expect(count).toBeGreaterThanOrEqual(2)
    expect(clients.flatMap(({ witness }) => witness.problems)).toEqual([])
  })

  it('a commit is sent beside the lane: a log that decides against it is not kept waiting', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    // Whoever commits first gets no answer; the other stands in.
    const mute = new Set<Client>()
    for (const client of [alice, bob]) {
      client.port.tamper.commit = (_, honest) => {
        if (mute.size > 0) return honest()
        mute.add(client)
        return new Promise(() => {})
      }
    }
    const carol = room.begin('carol')
    await room.until(() => carol.client !== undefined)
    await room.agreed([alice, bob, carol.client as Client], ['alice', 'bob', 'carol'])
  })
})

describe('a waiting list that does harm', () => {
  const groupNotice = (groupId: Uint8Array<ArrayBuffer>, joiners: readonly WaitingJoiner[]) =>
    ({ name: 'waiting', notice: { groupId, joiners } }) as const

  it('rubbish in it is never committed for', async () => {
    const { room, alice, groupId } = await alone()
    const joiners = [0, 1, 2].map((i) => ({
      ref: Uint8Array.of(i),
      keyPackage: Uint8Array.of(i, i, i),
    }))
    alice.port.inject(groupNotice(groupId, joiners))
    await room.pass(20_000)
    expect(alice.port.count('commit')).toBe(0)
    const bob = await room.join('bob')
    await room.agreed([alice, bob], ['alice', 'bob'])
    // Nor in the next epoch.
    alice.port.inject(groupNotice(groupId, joiners))
    bob.port.inject(groupNotice(groupId, joiners))
    await room.pass(20_000)
    expect(alice.meeting.view.epoch).toBe(1n)
  })

  it('whoever is named without a KeyPackage that we know is asked for', async () => {
    const { room, alice } = await alone()
    alice.port.notices = (notice) =>
      notice.name === 'waiting'
        ? [
            groupNotice(
              notice.notice.groupId,
              notice.notice.joiners.map(({ ref }) => ({ ref, keyPackage: emptyBytes })),
            ),
          ]
        : [notice]
    const before = alice.port.count('resume')
    const bob = await room.join('bob')
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(alice.port.count('commit')).toBe(1)
    expect(alice.port.count('resume')).toBe(before + 1)
  })

  it('whoever is named again without a KeyPackage has the one that we know', async () => {
    const { room, alice, groupId } = await alone()
    const joiners = await joinerOf(room.clock, 2, { lifetimeSeconds: 60 })
    const before = alice.port.count('resume')
    alice.port.inject(groupNotice(groupId, joiners))
    await room.pass(1_000)
    alice.port.inject(
      groupNotice(
        groupId,
        joiners.map(({ ref }) => ({ ref, keyPackage: emptyBytes })),
      ),
    )
    await room.pass(1_000)
    expect(alice.port.count('resume')).toBe(before)
  })

  it('a list of a hundred thousand keeps nobody from committing', async () => {
    const { room, alice } = await alone()
    const rubbish = Array.from({ length: 100_000 }, (_, i) => ({
      ref: Uint8Array.of(i & 0xff, (i >> 8) & 0xff, i >> 16),
      keyPackage: Uint8Array.of(1, 2, 3),
    }))
    alice.port.notices = (notice) =>
      notice.name === 'waiting'
        ? [
            {
              name: 'waiting',
              notice: { ...notice.notice, joiners: [...notice.notice.joiners, ...rubbish] },
            },
          ]
        : [notice]
    const bob = await room.join('bob')
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(alice.port.count('commit')).toBe(1)
  })

  it('whoever is a member already is not added again', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    const wait = bob.port.requests.find(({ name }) => name === 'wait')?.request
    const { groupId, keyPackage } = Object(wait) as { [field: string]: Uint8Array<ArrayBuffer> }
    const joiners = [{ ref: Uint8Array.of(7), keyPackage: keyPackage ?? new Uint8Array() }]
    for (const { port } of [alice, bob]) {
      port.inject(groupNotice(groupId ?? new Uint8Array(), joiners))
    }
    await room.pass(10_000)
    expect(alice.meeting.view.epoch).toBe(1n)
  })

  it.each([
    ['have the same encryption key', { sharing: 'leafKey' }],
    ['have the same signature key', { sharing: 'signer' }],
    ['expire too soon', { lifetimeSeconds: 60 }],
    ['are not valid yet', { startsInSeconds: 300 }],
    ['are of another meeting', { meetingId: 'another' }],
    ['are larger than any is', { padding: 20_000 }],
  ] as const)('KeyPackages that %s hold up nobody else', async (_, flaw) => {
    const { room, alice, groupId } = await alone()
    const joiners = await joinerOf(room.clock, 2, flaw)
    alice.port.notices = (notice) =>
      notice.name === 'waiting'
        ? [groupNotice(groupId, [...joiners, ...notice.notice.joiners])]
        : [notice]
    const bob = await room.join('bob')
    await room.pass(10_000)
    const { members, epoch } = alice.meeting.view
    const names = members.map(({ identity }) => identity)
    expect(names).toContain('alice')
    expect(names).toContain('bob')
    // Of two that cannot stand beside each other one may be let in.
    expect(members.length).toBeLessThanOrEqual('sharing' in flaw ? 3 : 2)
    expect(epoch).toBeLessThanOrEqual(2n)
    expect([alice, bob].map(({ witness }) => witness.ended)).toEqual([[], []])
  })

  it('what is listed as a KeyPackage and is something else is left out', async () => {
    const { room, alice, groupId } = await alone()
    const entry = room.delivery.append(Uint8Array.of(9))
    const message = encode(MlsMessage, {
      version: ProtocolVersion.mls10,
      wireFormat: WireFormat.welcome,
      welcome: { cipherSuite: 1, secrets: [], encryptedGroupInfo: new Uint8Array() },
    })
    alice.port.inject(groupNotice(groupId, [{ ref: Uint8Array.of(1), keyPackage: message }]))
    await room.pass(5_000)
    expect(alice.port.count('commit')).toBe(0)
    expect(entry.seq).toBe(1)
  })
})
