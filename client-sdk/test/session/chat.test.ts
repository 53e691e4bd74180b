import { utf8 } from '@conclave/core/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../../core/test/campaign.ts'
import type { AnyNotice, Port } from './support/port.ts'
import { refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

type Pair = [Client, Client]
type Trio = [Client, Client, Client]

/** Holds a client's messages back until the test lets them go, as often as it likes. */
function holding(port: Port): AnyNotice[] {
  const held: AnyNotice[] = []
  port.notices = (notice) => {
    if (notice.name !== 'message') return [notice]
    held.push(notice)
    return []
  }
  return held
}

async function say(room: Room, { meeting }: Client, ...texts: readonly string[]) {
  const ids: string[] = []
  for (const text of texts) void meeting.send({ text }).then((id) => ids.push(id))
  await room.until(() => ids.length === texts.length)
  return ids
}

/** How sending fails: `code detail`. */
async function refusalOf(room: Room, sending: Promise<unknown>): Promise<string> {
  let failure: string | undefined
  sending.then(
    () => {
      failure = 'sent'
    },
    ({ code, detail }: { code: string; detail?: string }) => {
      failure = detail === undefined ? code : `${code} ${detail}`
    },
  )
  await room.until(() => failure !== undefined)
  return failure ?? ''
}

describe('messages of a meeting', () => {
  it('come to all others in order, with the ids that their sender has', async () => {
    const room = Room.open()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as Trio
    const sent = await say(room, alice, 'one', 'two', '<b>three</b>')
    const said = ['alice: one', 'alice: two', 'alice: <b>three</b>']
    for (const { witness } of [bob, carol]) {
      expect(witness.chat).toEqual(said)
      expect(witness.ids).toEqual(sent)
    }
    expect(alice.witness.chat).toEqual([])
    expect(new Set(sent).size).toBe(3)
  })

  it('are reacted to by their ids', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    const [to = ''] = await say(room, alice, 'shall we?')
    const reacted = bob.meeting.react({ to, emoji: '👍' })
    await room.until(() => alice.witness.chat.length === 1)
    expect(alice.witness.chat).toEqual([`bob: 👍 of ${to}`])
    expect(alice.witness.ids).toEqual([await reacted])
  })

  it('are text of 8192 bytes at most, and reactions of 64', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    const { meeting } = alice
    for (const text of ['', 'x'.repeat(8193), '€'.repeat(2731), 'half \ud83d']) {
      expect(await refusalOf(room, meeting.send({ text }))).toBe('argument-invalid')
    }
    const to = '0'.repeat(32)
    for (const reaction of [
      { to, emoji: '' },
      { to, emoji: 'x'.repeat(65) },
      { to: 'nothing', emoji: '👍' },
      { to: to.toUpperCase().replaceAll('0', 'A'), emoji: '👍' },
    ]) {
      expect(await refusalOf(room, meeting.react(reaction))).toBe('argument-invalid')
    }
    const longest = 'x'.repeat(8192)
    await say(room, alice, longest)
    expect(bob.witness.chat).toEqual([`alice: ${longest}`])
    // Nothing of what was refused is missed.
    await room.pass(5_000)
    expect(bob.witness.chat).toHaveLength(1)
  })

  it('are taken once, however often they come, and a server’s echo not at all', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    const held = holding(bob.port)
    await say(room, alice, 'one', 'two')
    for (const notice of [...held, ...held]) bob.port.inject(notice)
    for (const notice of held) alice.port.inject(notice)
    await room.rest()
    expect(bob.witness.chat).toEqual(['alice: one', 'alice: two'])
    expect(bob.meeting.messagesDropped).toEqual({ repeated: 2, untimely: 0 })
    expect(alice.meeting.messagesDropped).toEqual({ repeated: 2, untimely: 0 })
    expect([...alice.witness.problems, ...bob.witness.problems]).toEqual([])
  })

  it('that a server suppresses are missed with the next, also of an epoch that is over', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    await say(room, alice, 'first')
    const held = holding(bob.port)
    await say(room, alice, 'suppressed')
    const carol = await room.join('carol')
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    await say(room, alice, 'suppressed, too')
    bob.port.notices = (notice) => [notice]
    expect(held).toHaveLength(2)
    await say(room, alice, 'heard')
    await room.pass(2_000)
    expect(bob.witness.chat).toEqual(['alice: first', 'alice: 2 missed', 'alice: heard'])
    expect(carol.witness.chat).toEqual(['alice: suppressed, too', 'alice: heard'])
    // What comes after that is not told out of order.
    for (const notice of held) bob.port.inject(notice)
    await room.rest()
    expect(bob.witness.chat).toHaveLength(3)
  })

  it('are told in order and once each, and those that are missing counted, whatever a server does', async () => {
    const arrivals = fc.array(fc.nat({ max: 7 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(arrivals, async (arriving) => {
        const room = Room.open()
        const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
        await say(room, alice, '0')
        const held = holding(bob.port)
        await say(room, alice, '1', '2', '3', '4')
        const carol = await room.join('carol')
        await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
        await say(room, alice, '5', '6', '7', '8')
        for (const i of arriving) bob.port.inject(held[i] as AnyNotice)
        await room.pass(5_000)
        let next = 0
        for (const told of bob.witness.chat) {
          const missed = /^alice: (\d) missed$/.exec(told)
          if (missed === null) {
            expect(told).toBe(`alice: ${next}`)
            next += 1
          } else next += Number(missed[1])
        }
        expect(next).toBe(2 + Math.max(-1, ...arriving))
        expect(bob.witness.problems).toEqual([])
      }),
      { numRuns: 10, seed },
    )
  })

  it('of before somebody has joined are neither read nor missed', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice', 'bob')) as Pair
    await say(room, alice, 'one', 'two', 'three')
    const carol = await room.join('carol')
    await room.agreed([alice, carol], ['alice', 'bob', 'carol'])
    await say(room, alice, 'four')
    await room.pass(2_000)
    expect(carol.witness.chat).toEqual(['alice: four'])
  })

  it('that cross a commit are still read, ten seconds long', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    const held = holding(bob.port)
    await say(room, alice, 'crossing', 'late')
    const carol = await room.join('carol')
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    const taken = bob.census.left
    bob.port.inject(held[0] as AnyNotice)
    await room.rest()
    expect(bob.witness.chat).toEqual(['alice: crossing'])
    await room.pass(10_000)
    // The keys of the epoch are gone by themselves.
    expect(bob.census.left).toBeLessThan(taken)
    bob.port.inject(held[1] as AnyNotice)
    await room.rest()
    expect(bob.witness.chat).toEqual(['alice: crossing'])
    expect(bob.meeting.messagesDropped.untimely).toBe(1)
  })

  it('that come before the commit of their epoch wait for it', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    const entries: AnyNotice[] = []
    bob.port.tamper.commit = () => new Promise(() => {})
    bob.port.notices = (notice) => {
      if (notice.name !== 'entry') return [notice]
      entries.push(notice)
      return []
    }
    const carol = await room.join('carol')
    await room.agreed([alice, carol], ['alice', 'bob', 'carol'])
    await say(room, alice, 'ahead')
    expect(bob.witness.chat).toEqual([])
    bob.port.notices = (notice) => [notice]
    for (const notice of entries) bob.port.inject(notice)
    await room.until(() => bob.witness.chat.length > 0)
    expect(bob.witness.chat).toEqual(['alice: ahead'])
  })

  it('of somebody who was removed are not taken any more, whoever passes them on', async () => {
    const room = Room.open()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as Trio
    const held = holding(bob.port)
    await say(room, carol, 'from the grave')
    await room.delivery.remove(carol.meeting.self.leaf)
    await room.agreed([alice, bob], ['alice', 'bob'])
    for (const notice of held) bob.port.inject(notice)
    await room.rest()
    expect(bob.witness.chat).toEqual([])
    expect(bob.meeting.messagesDropped.untimely).toBe(1)
  })

  it('wait for the commit where proposals are pending', async () => {
    const room = Room.open()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as Trio
    await room.delivery.remove(carol.meeting.self.leaf)
    await room.rest()
    expect(alice.meeting.view.members).toHaveLength(3)
    await say(room, alice, 'after')
    expect(alice.meeting.view.members).toHaveLength(2)
    await room.pass(2_000)
    expect(bob.witness.chat).toEqual(['alice: after'])
    expect(carol.witness.chat).toEqual([])
  })

  it('are sent again until they are passed on, and taken once', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    let attempts = 0
    alice.port.tamper.send = async (_, honest) => {
      attempts += 1
      if (attempts === 1) return refuse('rate-limited')
      const reply = await honest()
      if (attempts > 2) return reply
      // It was passed on, but the answer is lost.
      alice.port.drop()
      return reply
    }
    const sent = alice.meeting.send({ text: 'hello' })
    await room.until(() => attempts === 2)
    alice.port.connect()
    let id = ''
    void sent.then((given) => {
      id = given
    })
    await room.until(() => id !== '')
    expect(attempts).toBe(3)
    expect(bob.witness.chat).toEqual(['alice: hello'])
    expect(bob.witness.ids).toEqual([id])
    await say(room, alice, 'again')
    await room.pass(2_000)
    expect(bob.witness.chat).toEqual(['alice: hello', 'alice: again'])
  })

  it('that are not passed on in half a minute were not sent, and are not missed', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    alice.port.tamper.send = async () => refuse('rate-limited')
    const began = room.clock.now()
    expect(await refusalOf(room, alice.meeting.send({ text: 'in vain' }))).toBe('message-unsent')
    expect(room.clock.now() - began).toBe(30_000)
    alice.port.tamper.send = (_, honest) => honest()
    await say(room, alice, 'hello')
    await room.pass(2_000)
    expect(bob.witness.chat).toEqual(['alice: hello'])
  })

  it('are refused at once where the keyserver knows none, and after the end', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice', 'bob')) as Pair
    alice.port.tamper.send = async () => refuse('request-malformed')
    const sending = () => refusalOf(room, alice.meeting.send({ text: 'hello' }))
    expect(await sending()).toBe('keyserver-refused request-malformed')
    alice.port.tamper.send = () => new Promise(() => {})
    const waiting = sending()
    void alice.meeting.leave()
    expect(await waiting).toBe('session-ended')
    expect(await sending()).toBe('session-ended')
  })

  it('that nobody could have sent are a problem and nothing else', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    const held = holding(bob.port)
    await say(room, alice, 'hello')
    const [genuine] = held as [AnyNotice & { name: 'message' }]
    const { groupId, message } = genuine.notice
    const forged = message.slice()
    forged.set([(forged.at(-1) ?? 0) ^ 1], forged.length - 1)
    // A handshake beside the log must not be taken in.
    const { entry } = { entry: room.delivery.group?.log.at(-1) }
    for (const bytes of [forged, entry?.message ?? utf8('none'), utf8('nothing')]) {
      bob.port.inject({ name: 'message', notice: { groupId, message: bytes } })
    }
    await room.rest()
    expect(bob.witness.problems.map(({ code }) => code)).toEqual([
      'message-undecryptable',
      'keyserver-protocol-violated',
      'keyserver-protocol-violated',
    ])
    bob.port.inject(genuine)
    await room.rest()
    expect(bob.witness.chat).toEqual(['alice: hello'])
  })

  it('that wait for others when our place is lost are told while it is known who has sent them', async () => {
    const room = Room.open()
    room.delivery.describes = true
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    holding(bob.port)
    await say(room, alice, 'suppressed')
    bob.port.notices = (notice) => [notice]
    await say(room, alice, 'heard')
    bob.port.drop()
    await room.delivery.remove(bob.meeting.self.leaf)
    await room.agreed([alice], ['alice'])
    expect(bob.witness.chat).toEqual([])
    bob.port.connect()
    await room.until(() => bob.witness.lost.length > 0)
    expect(bob.witness.chat).toEqual(['alice: 1 missed', 'alice: heard'])
  })

  it('go on after our place was lost and taken again', async () => {
    const room = Room.open()
    room.delivery.describes = true
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as Pair
    await say(room, alice, 'one')
    await say(room, bob, 'uno')
    bob.port.drop()
    await room.delivery.remove(bob.meeting.self.leaf)
    await room.agreed([alice], ['alice'])
    await say(room, alice, 'while bob was away')
    bob.port.connect()
    await room.agreed([alice, bob], ['alice', 'bob'])
    await say(room, alice, 'three')
    await say(room, bob, 'dos')
    await room.pass(2_000)
    expect(bob.witness.chat).toEqual(['alice: one', 'alice: 1 missed', 'alice: three'])
    expect(alice.witness.chat).toEqual(['bob: uno', 'bob: dos'])
  })
})
