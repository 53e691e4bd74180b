import type { RandomBytes } from '@conclave/core'
import { decode } from '@conclave/core/codec'
import type { ReplyTo } from '@conclave/core/delivery'
import { MlsMessage, SenderType, WireFormat } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { type JoinProgress, systemRandom } from '../../src/index.ts'
import { type Port, refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

function opened(): Room {
  const room = Room.open()
  room.delivery.describes = true
  return room
}

function groupOf(room: Room) {
  const { group } = room.delivery
  if (group === undefined) throw new Error('there is no group')
  return group
}

/** How many external commits the log has. */
function entriesByCommit(room: Room): number {
  return groupOf(room).log.filter(({ message }) => {
    const decoded = decode(MlsMessage, message)
    return (
      decoded.wireFormat === WireFormat.publicMessage &&
      decoded.publicMessage.content.sender.senderType === SenderType.newMemberCommit
    )
  }).length
}

/** All draw the same lot when they decide how long to wait. */
const withoutLots: RandomBytes = (length) =>
  length === 1 ? new Uint8Array(1) : systemRandom(length)

/** A meeting of one who hears of nothing and does nothing. */
async function deafMeeting(): Promise<{ room: Room; alice: Client }> {
  const room = opened()
  const [alice] = (await room.meetingOf('alice')) as [Client]
  alice.port.notices = (notice) => (notice.name === 'waiting' ? [] : [notice])
  return { room, alice }
}

describe('whoever comes', () => {
  it('waits for a member who can let them in, and is told so', async () => {
    const room = opened()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const progress: JoinProgress[] = []
    const bob = await room.join('bob', () => {}, { onProgress: (now) => progress.push(now) })
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(progress).toEqual([{ stage: 'authorised' }, { stage: 'waiting', position: 0 }])
    expect(entriesByCommit(room)).toBe(0)
  })

  it('commits itself in where nobody is connected', async () => {
    const { room, alice } = await deafMeeting()
    alice.port.drop()
    const stages: string[] = []
    const bob = await room.join('bob', () => {}, { onProgress: ({ stage }) => stages.push(stage) })
    expect(stages).toEqual(['authorised', 'committing'])
    expect(bob.port.count('wait')).toBe(0)
    alice.port.connect()
    await room.agreed([alice, bob], ['alice', 'bob'])
  })

  it('commits itself in after having waited for three to six seconds in vain, and 20 ms for each member', async () => {
    const { room, alice } = await deafMeeting()
    const before = room.clock.now()
    const bob = await room.join('bob')
    expect(room.clock.now() - before).toBeGreaterThanOrEqual(3_020)
    expect(room.clock.now() - before).toBeLessThanOrEqual(6_040)
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(entriesByCommit(room)).toBe(1)
  })

  it('leaves it to the first in line to commit itself in, and is added by that one', async () => {
    const { room, alice } = await deafMeeting()
    const names = ['bob', 'carol', 'dave', 'erin']
    const joining = names.map((name) =>
      room.begin(
        name,
        (port) => {
          // So slow that the others would lose their patience before it is through.
          port.tamper.commit = async (_, honest) => {
            await new Promise<void>((resolve) => room.clock.setTimer(2_500, resolve))
            return honest()
          }
        },
        { random: withoutLots },
      ),
    )
    await room.until(() => joining.every(({ client }) => client !== undefined))
    const clients = joining.map(({ client }) => client as Client)
    await room.agreed([alice, ...clients], ['alice', ...names])
    expect(entriesByCommit(room)).toBe(1)
  })

  it('waits on as long as those before it in line are let in', async () => {
    const { room, alice } = await deafMeeting()
    let before = 10
    const started = room.clock.now()
    const lineMoves = (port: Port) => {
      port.tamper.wait = async (_, honest) => {
        const reply = await honest()
        return reply.ok ? { ...reply, position: Math.max(0, before--) } : reply
      }
    }
    const bob = await room.join('bob', lineMoves, { joinTimeoutMs: 120_000 })
    expect(room.clock.now() - started).toBeGreaterThanOrEqual(11 * 3_000)
    expect(before).toBeLessThan(0)
    await room.agreed([alice, bob], ['alice', 'bob'])
  })

  it('waits again where the tree of its Welcome is gone', async () => {
    const room = opened()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    let gone = 2
    const bob = await room.join('bob', (port) => {
      port.tamper.tree = async (_, honest) => (gone-- > 0 ? refuse('tree-unknown') : honest())
    })
    expect(bob.port.count('wait')).toBe(3)
    // The keyserver removes who does not come.
    for (const { leaf, deviceKey } of alice.meeting.view.members) {
      const isBob = deviceKey.join() === bob.meeting.self.deviceKey.join()
      if (isBob && leaf !== bob.meeting.self.leaf) await room.delivery.remove(leaf)
    }
    await room.agreed([alice, bob], ['alice', 'bob'])
  })

  it('is in once, where a member adds it at the same time', async () => {
    const { room, alice } = await deafMeeting()
    const joining = room.begin('bob', (port) => {
      port.tamper.commit = async (_, honest) => {
        // Now she hears of who waits, and is faster.
        const added = room.delivery.grown()
        alice.port.notices = (notice) => [notice]
        alice.port.inject({ name: 'waiting', notice: waitingIn(room) })
        await added
        return honest()
      }
    })
    await room.until(() => joining.client !== undefined)
    await room.agreed([alice, joining.client as Client], ['alice', 'bob'])
    expect(entriesByCommit(room)).toBe(0)
  })

  it('is not added again by whoever still has it on the list', async () => {
    const { room, alice } = await deafMeeting()
    const bob = await room.join('bob')
    alice.port.inject({ name: 'waiting', notice: waitingIn(room) })
    await room.pass(2_000)
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(alice.port.count('commit')).toBe(0)
  })
})

describe('a commit by which somebody enters', () => {
  it('that won although its answer was lost is known by sending it again', async () => {
    const { room, alice } = await deafMeeting()
    alice.port.drop()
    let lost = 0
    const bob = await room.join('bob', (port) => {
      port.tamper.commit = async (_, honest) => {
        const reply = await honest()
        if (lost++ > 0) return reply
        port.drop()
        port.connect()
        return new Promise<ReplyTo<'commit'>>(() => {})
      }
    })
    expect(entriesByCommit(room)).toBe(1)
    expect(bob.port.count('commit')).toBe(2)
    alice.port.connect()
    await room.agreed([alice, bob], ['alice', 'bob'])
  })

  it('that loses three times is followed by waiting', async () => {
    const { room, alice } = await deafMeeting()
    alice.port.drop()
    const joining = room.begin('bob', (port) => {
      port.tamper.commit = () => Promise.resolve(refuse('epoch-mismatch'))
    })
    await room.until(() => joining.port.count('wait') === 1)
    expect(joining.port.count('commit')).toBe(3)
    alice.port.notices = (notice) => [notice]
    alice.port.connect()
    await room.until(() => joining.client !== undefined)
    await room.agreed([alice, joining.client as Client], ['alice', 'bob'])
  })

  it('takes along who wants to leave', async () => {
    const room = opened()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    for (const { port } of [alice, bob])
      port.tamper.commit = () => Promise.resolve(refuse('internal'))
    void bob.meeting.leave()
    await room.until(() => bob.witness.ended.length === 1)
    alice.port.drop()
    const carol = await room.join('carol')
    expect(carol.meeting.view.members.map(({ identity }) => identity).sort()).toEqual([
      'alice',
      'carol',
    ])
    delete alice.port.tamper.commit
    alice.port.connect()
    await room.agreed([alice, carol], ['alice', 'carol'])
  })

  it('is not believed to have won where the log has another one', async () => {
    const { room, alice } = await deafMeeting()
    alice.port.drop()
    const joining = room.begin('bob', (port) => {
      port.tamper.commit = () => Promise.resolve({ ok: true, seq: 1, durable: false })
      port.tamper.resume = async (_, honest) => {
        const reply = await honest()
        const another = { seq: 1, message: Uint8Array.of(1) }
        return reply.ok && port.count('commit') > 0
          ? { ...reply, entries: [another], head: 1 }
          : reply
      }
    })
    // The meeting that it is in is its own alone, and it notices.
    await room.until(() => joining.client?.witness.ended.length === 1)
    expect(joining.client?.witness.ended[0]?.error?.code).toBe('log-rolled-back')
  })
})

describe('a place that was lost', () => {
  /** Bob cannot read what the others seal to him. */
  async function blindMeeting(): Promise<{ room: Room; clients: [Client, Client, Client] }> {
    const room = opened()
    const clients = (await room.meetingOf('alice', 'bob', 'carol')) as [Client, Client, Client]
    const [, bob] = clients
    bob.port.notices = (notice) => (notice.name === 'waiting' ? [] : [notice])
    bob.census.blind = true
    bob.meeting.on('rejoining', () => {
      bob.census.blind = false
    })
    return { room, clients }
  }

  it('is taken again under the same leaf, and nobody sees anybody go', async () => {
    const { room, clients } = await blindMeeting()
    const [alice, bob, carol] = clients
    const { leaf } = bob.meeting.self
    const dave = await room.join('dave')
    await room.agreed([alice, bob, carol, dave], ['alice', 'bob', 'carol', 'dave'])
    expect(bob.witness.lost).toMatchObject([
      { code: 'log-inapplicable', detail: 'commit-path-undecryptable' },
    ])
    expect(bob.meeting.self.leaf).toBe(leaf)
    expect(bob.witness.ended).toEqual([])
    for (const { witness } of [alice, bob, carol]) expect(witness.left).toEqual([])
    expect(bob.witness.joined.filter((name) => name === 'dave')).toHaveLength(1)
  })

  it('is taken again without verifying anything of a leaf that was there before', async () => {
    const { room, clients } = await blindMeeting()
    const [alice, bob, carol] = clients
    const dave = await room.join('dave')
    await room.agreed([alice, bob, carol, dave], ['alice', 'bob', 'carol', 'dave'])
    expect(bob.witness.lost).toHaveLength(1)
    const { all, different } = bob.census.verified
    // At least those of the other members' leaves and devices.
    expect(different).toBeGreaterThanOrEqual(6)
    expect(all).toBe(different)
  })

  it('is not taken in an epoch that is over, whatever the keyserver says', async () => {
    const { room, clients } = await blindMeeting()
    const [alice, bob, carol] = clients
    const stale = groupOf(room).described.at(-1)
    bob.port.tamper.groupInfo = async () =>
      stale === undefined ? refuse('internal') : { ok: true, ...stale }
    const dave = await room.join('dave')
    await room.until(() => bob.witness.lost.length === 1)
    await room.pass(10_000)
    expect(bob.port.count('groupInfo')).toBeGreaterThan(3)
    expect(entriesByCommit(room)).toBe(0)
    delete bob.port.tamper.groupInfo
    await room.agreed([alice, bob, carol, dave], ['alice', 'bob', 'carol', 'dave'])
  })

  it('is taken again after the log was trimmed beyond where we were', async () => {
    const room = opened()
    const clients = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    const [alice, bob] = clients
    bob.port.drop()
    const carol = await room.join('carol')
    const dave = await room.join('dave')
    bob.port.tamper.resume = async (request, honest) => {
      const last = groupOf(room).log.length - 1
      return request.after < last ? refuse('seq-out-of-range') : honest()
    }
    bob.port.connect()
    await room.agreed([alice, bob, carol, dave], ['alice', 'bob', 'carol', 'dave'])
    expect(bob.witness.lost).toMatchObject([{ code: 'log-inapplicable', detail: 'window-missed' }])
  })

  it('ends with the meeting, where that ends meanwhile', async () => {
    const { room, clients } = await blindMeeting()
    const [, bob] = clients
    bob.port.tamper.groupInfo = async () => refuse('internal')
    room.begin('dave')
    await room.until(() => bob.witness.lost.length === 1)
    room.delivery.end()
    await room.until(() => clients.every(({ witness }) => witness.ended.length === 1))
    expect(bob.witness.ended[0]?.reason).toBe('closed')
  })

  it('is given up by leaving', async () => {
    const { room, clients } = await blindMeeting()
    const [, bob] = clients
    bob.port.tamper.groupInfo = async () => refuse('internal')
    room.begin('dave')
    await room.until(() => bob.witness.lost.length === 1)
    await bob.meeting.leave()
    expect(bob.witness.ended).toEqual([{ reason: 'left', error: undefined }])
  })
})

function waitingIn(room: Room) {
  const { groupId, waiting } = groupOf(room)
  return { groupId, joiners: [...waiting.values()].map(({ joiner }) => joiner) }
}
