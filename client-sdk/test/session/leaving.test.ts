import { describe, expect, it, vi } from 'vitest'
import { type Client, Room } from './support/room.ts'
import { catchUncaught } from './support/uncaught.ts'

describe('leaving', () => {
  it('says goodbye, so that the others go on without waiting for an absence', async () => {
    const room = Room.open()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as [
      Client,
      Client,
      Client,
    ]
    void bob.meeting.leave()
    await room.agreed([alice, carol], ['alice', 'carol'])
    expect(bob.witness.ended).toEqual([{ reason: 'left', error: undefined }])
    expect(bob.port.count('propose')).toBe(1)
    expect(alice.witness.left).toEqual(['bob'])
    expect(bob.census.left).toBe(0)
  })

  it('says goodbye again where the epoch ended meanwhile', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    const overtaken = Promise.withResolvers<void>()
    bob.port.tamper.propose = async (_, honest) => {
      await overtaken.promise
      return honest()
    }
    const carol = room.begin('carol')
    await room.until(() => carol.port.count('wait') === 1)
    void bob.meeting.leave()
    await room.until(() => carol.client !== undefined)
    overtaken.resolve()
    await room.until(() => bob.witness.ended.length === 1)
    expect(bob.port.count('propose')).toBe(2)
    await room.agreed([alice, carol.client as Client], ['alice', 'carol'])
  })

  it('gives up after two seconds where the keyserver does not answer', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    alice.port.tamper.propose = () => new Promise(() => {})
    let left = false
    void alice.meeting.leave().then(() => {
      left = true
    })
    await room.pass(1_990)
    expect(left).toBe(false)
    await room.pass(20)
    expect(left).toBe(true)
    expect(alice.census.left).toBe(0)
  })

  it('gives up at once where there is no connection', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    alice.port.drop()
    await alice.meeting.leave()
    expect(alice.witness.ended).toEqual([{ reason: 'left', error: undefined }])
  })

  it('may be asked for twice, at the same time and afterwards', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    const twice = Promise.all([alice.meeting.leave(), alice.meeting.leave()])
    await room.until(() => alice.witness.ended.length === 1)
    await twice
    await alice.meeting.leave()
    expect(alice.port.count('propose')).toBe(1)
    expect(alice.witness.ended).toHaveLength(1)
  })

  it('ends what needs the meeting, and keeps the last view', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    await alice.meeting.leave()
    const protecting = alice.meeting.protect({} as RTCRtpSender, { source: 'camera' })
    await expect(protecting).rejects.toMatchObject({ code: 'session-ended' })
    expect(alice.meeting.view.members).toHaveLength(1)
    expect(alice.meeting.self.identity).toBe('alice')
  })

  it.each(['epochChanged', 'participantJoined', 'participantLeft'] as const)(
    'can be done by a listener of %s',
    async (event) => {
      const room = Room.open()
      const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as [
        Client,
        Client,
        Client,
      ]
      alice.meeting.on(event, () => void alice.meeting.leave())
      void carol.meeting.leave()
      const dan = room.begin('dan')
      await room.until(() => alice.witness.ended.length === 1)
      await room.until(() => dan.client !== undefined)
      await room.agreed([bob, dan.client as Client], ['bob', 'dan'])
    },
  )

  it('can be done when the connection is lost, without a goodbye', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    alice.meeting.on('connectionChanged', () => void alice.meeting.leave())
    alice.port.drop()
    await room.until(() => alice.witness.ended.length === 1)
    await room.delivery.remove(alice.meeting.self.leaf)
    await room.agreed([bob], ['bob'])
  })

  it('can be done by a listener of the end itself', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    alice.meeting.on('ended', () => void alice.meeting.leave())
    await alice.meeting.leave()
    expect(alice.witness.ended).toHaveLength(1)
  })

  it('in the middle of somebody else’s commit leaves no secret behind', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    // Every commit that comes is left on, at every moment of taking it in.
    for (let moment = 0; moment < 12; moment++) {
      const dan = await room.join(`dan ${moment}`)
      dan.port.tamper.propose = () => new Promise(() => {})
      const erin = room.begin(`erin ${moment}`)
      const before = dan.census.taken
      await room.until(() => dan.census.taken > before || dan.port.requests.length > 8)
      for (let i = 0; i < moment; i++) await new Promise((resolve) => setImmediate(resolve))
      dan.port.drop()
      void dan.meeting.leave()
      await room.until(() => dan.witness.ended.length === 1)
      expect(dan.census.left, `moment ${moment}`).toBe(0)
      await room.until(() => erin.client !== undefined)
      void erin.client?.meeting.leave()
      await room.delivery.remove(dan.meeting.self.leaf)
      await room.agreed([alice, bob], ['alice', 'bob'])
    }
  })
})

describe('being removed', () => {
  it('ends the session, wipes it, and the others are told who it was', async () => {
    const room = Room.open()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as [
      Client,
      Client,
      Client,
    ]
    await room.delivery.remove(bob.meeting.self.leaf)
    await room.agreed([alice, carol], ['alice', 'carol'])
    expect(bob.witness.ended).toEqual([{ reason: 'removed', error: undefined }])
    expect(bob.census.left).toBe(0)
    expect(alice.witness.left).toEqual(['bob'])
  })

  /** Bob comes back, and is told what happens before he is committed out by alice alone. */
  async function removedOnReturn(when: 'before' | 'after'): Promise<readonly [Client, Client]> {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    const { leaf } = bob.meeting.self
    room.delivery.describes = true
    let removed = false
    bob.port.tamper.attach = async (_, honest) => {
      const once = !removed
      removed = true
      if (once && when === 'before') await room.delivery.remove(leaf)
      const reply = await honest()
      if (once && when === 'after') await room.delivery.remove(leaf)
      return reply
    }
    bob.port.drop()
    bob.port.connect()
    await room.until(() => bob.witness.lost.length + bob.witness.ended.length > 0)
    const names = when === 'before' ? ['alice', 'bob'] : ['alice']
    await room.agreed(when === 'before' ? [alice, bob] : [alice], names)
    return [alice, bob]
  }

  it('for an absence that had ended when the commit came is no end: the place is taken again', async () => {
    const [, bob] = await removedOnReturn('before')
    expect(bob.witness.lost).toMatchObject([{ code: 'removed-while-away' }])
    expect(bob.witness.ended).toEqual([])
  })

  it('by a proposal that came when the connection spoke for the leaf is the end', async () => {
    const [, bob] = await removedOnReturn('after')
    expect(bob.witness.lost).toEqual([])
    expect(bob.witness.ended).toEqual([{ reason: 'removed', error: undefined }])
  })
})

describe('listeners', () => {
  it('that throw stop neither the session nor each other', async () => {
    const seen = catchUncaught()
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const others = vi.fn()
    for (const event of ['epochChanged', 'participantJoined', 'ended'] as const) {
      alice.meeting.on(event, () => {
        throw new Error(event)
      })
      alice.meeting.on(event, others)
    }
    const bob = await room.join('bob')
    await room.agreed([alice, bob], ['alice', 'bob'])
    void alice.meeting.leave()
    await room.until(() => alice.witness.ended.length === 1)
    await room.rest()
    expect(others).toHaveBeenCalledTimes(3)
    expect(seen.map(({ message }) => message)).toEqual([
      'participantJoined',
      'epochChanged',
      'ended',
    ])
  })

  it('are not called any more once they are taken off', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const listener = vi.fn()
    alice.meeting.on('participantJoined', listener)
    await room.join('bob')
    await room.until(() => listener.mock.calls.length === 1)
    alice.meeting.off('participantJoined', listener)
    await room.join('carol')
    await room.until(() => alice.witness.joined.length === 2)
    expect(listener).toHaveBeenCalledTimes(1)
  })
})
