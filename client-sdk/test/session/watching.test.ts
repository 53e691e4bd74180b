import { describe, expect, it } from 'vitest'
import {
  type Arrival,
  type Departure,
  describeHistory,
  memorySessionStore,
  type Participant,
  type SecureMeeting,
  SessionError,
} from '../../src/index.ts'
import { type Client, Room } from './support/room.ts'

/** Writes down what a meeting says of who came, who went, and who is to be believed. */
class Watch {
  readonly joined: (readonly [string, Arrival])[] = []
  readonly left: (readonly [string, Departure])[] = []
  readonly ended: (Departure | undefined)[] = []
  readonly suspects: Participant[] = []
  readonly judged: (readonly [string, boolean, boolean])[] = []

  constructor(meeting: SecureMeeting) {
    meeting.on('participantJoined', ({ identity }, arrival) =>
      this.joined.push([identity, arrival]),
    )
    meeting.on('participantLeft', ({ identity }, departure) =>
      this.left.push([identity, departure]),
    )
    meeting.on('ended', (_reason, _error, departure) => this.ended.push(departure))
    meeting.on('deviceChanged', (participant) => this.suspects.push(participant))
    meeting.on('verificationChanged', ({ identity, verified, deviceChanged }) =>
      this.judged.push([identity, verified, deviceChanged]),
    )
  }
}

/** Somebody, as another sees them. */
function seenBy({ meeting }: Client, identity: string): Participant {
  const found = meeting.view.members.find((each) => each.identity === identity)
  if (found === undefined) throw new Error(`${identity} is not there`)
  return found
}

function linesOf({ meeting }: Client): string[] {
  return meeting.history.map(describeHistory)
}

function opened(): Room {
  const room = Room.open()
  room.delivery.describes = true
  return room
}

type Three = [Client, Client, Client]

describe('whoever watches', () => {
  it('is told who added somebody, in which epoch', async () => {
    const room = opened()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const watch = new Watch(alice.meeting)
    const bob = await room.join('bob')
    await room.agreed([alice, bob], ['alice', 'bob'])
    const committedBy = expect.objectContaining({ identity: 'alice', self: true })
    expect(watch.joined).toEqual([['bob', { epoch: 1n, way: 'added', committedBy }]])
    expect(linesOf(alice)).toEqual([
      'You entered the meeting as the first.',
      '“bob” joined, added by you.',
    ])
    expect(linesOf(bob)).toEqual(['You entered the meeting of “alice”.'])
  })

  it('is told who has entered without being added', async () => {
    const room = opened()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    alice.port.notices = (notice) => (notice.name === 'waiting' ? [] : [notice])
    const watch = new Watch(alice.meeting)
    await room.join('bob')
    await room.until(() => watch.joined.length === 1)
    expect(watch.joined).toMatchObject([
      ['bob', { way: 'external', committedBy: { identity: 'bob' } }],
    ])
    expect(linesOf(alice).at(-1)).toBe('“bob” joined without being added by anybody.')
  })

  it('is told that somebody said goodbye, and who carried it out', async () => {
    const room = opened()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as Three
    const watch = new Watch(alice.meeting)
    void bob.meeting.leave()
    await room.agreed([alice, carol], ['alice', 'carol'])
    const [identity, departure] = watch.left[0] ?? []
    expect([identity, departure]).toMatchObject([
      'bob',
      { epoch: alice.meeting.view.epoch, reason: 'left', askedBy: { identity: 'bob' } },
    ])
    expect(['alice', 'carol']).toContain(departure?.committedBy?.identity)
    expect(linesOf(alice).at(-1)).toMatch(/^“bob” left; (you|“carol”) changed the keys\.$/)
    expect(linesOf(bob).at(-1)).toBe('You left the meeting.')
  })

  it('is told that the keyserver asked for a removal', async () => {
    const room = opened()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as Three
    const [watch, own] = [new Watch(alice.meeting), new Watch(bob.meeting)]
    await room.delivery.remove(bob.meeting.self.leaf)
    await room.agreed([alice, carol], ['alice', 'carol'])
    expect(watch.left).toMatchObject([['bob', { reason: 'absent', askedBy: 'keyserver' }]])
    expect(linesOf(alice).at(-1)).toContain('because the keyserver asked for it')
    expect(own.ended).toMatchObject([
      { epoch: alice.meeting.view.epoch, reason: 'absent', askedBy: 'keyserver' },
    ])
    expect(own.ended[0]?.committedBy?.identity).toBe(watch.left[0]?.[1].committedBy?.identity)
    expect(linesOf(bob).at(-1)).toMatch(/^You were removed because the keyserver asked for it; “/)
  })

  it('hears of nobody’s leaving where a device takes its place again', async () => {
    const room = opened()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as Three
    const [seen, own] = [new Watch(alice.meeting), new Watch(bob.meeting)]
    bob.port.notices = (notice) => (notice.name === 'waiting' ? [] : [notice])
    bob.census.blind = true
    bob.meeting.on('rejoining', () => {
      bob.census.blind = false
    })
    const dave = await room.join('dave')
    await room.agreed([alice, bob, carol, dave], ['alice', 'bob', 'carol', 'dave'])
    expect(seen.left).toEqual([])
    expect(seen.joined.map(([identity]) => identity)).toEqual(['dave'])
    expect(linesOf(alice).at(-1)).toBe('“bob” entered again with the same device.')
    expect(own.left).toEqual([])
    // Nobody can tell him how she came in.
    const unseen = { way: 'unseen', committedBy: undefined }
    expect(own.joined).toMatchObject([['dave', unseen]])
    expect(linesOf(bob).slice(-3)).toEqual([
      'You could not follow the meeting any more, and tried to enter again.',
      'You entered again with the same device.',
      '“dave” joined while you were away.',
    ])
  })

  it('sees people with their devices, and all their leaves', async () => {
    const room = opened()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const store = memorySessionStore()
    const tabs = [
      await room.join('bob', () => {}, { store }),
      await room.join('bob', () => {}, { store }),
    ]
    const phone = await room.join('bob')
    await room.agreed([alice, ...tabs, phone], ['alice', 'bob', 'bob', 'bob'])
    const { people } = alice.meeting
    expect([...people.keys()].sort()).toEqual(['alice', 'bob'])
    const devices = people.get('bob') ?? []
    expect(devices.map(({ participants }) => participants.length).sort()).toEqual([1, 2])
    const leaves = [...tabs, phone].map(({ meeting }) => meeting.self.leaf)
    expect([...alice.meeting.leavesOf('bob')].sort()).toEqual(leaves.sort())
    expect(alice.meeting.leavesOf('carol')).toEqual([])
  })
})

describe('verifying', () => {
  it('begins with digits that both see', async () => {
    const room = opened()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as Three
    const digits = alice.meeting.fingerprintWith(seenBy(alice, 'bob'))
    expect(bob.meeting.fingerprintWith(seenBy(bob, 'alice'))).toBe(digits)
    expect(carol.meeting.fingerprintWith(seenBy(carol, 'bob'))).not.toBe(digits)
  })

  it('is shown in every view from then on, and by nobody else’s', async () => {
    const room = opened()
    const [alice, bob, carol] = (await room.meetingOf('alice', 'bob', 'carol')) as Three
    const watch = new Watch(alice.meeting)
    await alice.meeting.verify(seenBy(alice, 'bob'))
    expect(watch.judged).toEqual([['bob', true, false]])
    expect(seenBy(alice, 'bob').verified).toBe(true)
    expect(alice.meeting.participantAt(seenBy(alice, 'bob').leaf)?.verified).toBe(true)
    expect([seenBy(alice, 'carol').verified, seenBy(carol, 'bob').verified]).toEqual([false, false])
    expect(alice.meeting.self.verified).toBe(true)
    const dan = await room.join('dan')
    await room.agreed([alice, bob, carol, dan], ['alice', 'bob', 'carol', 'dan'])
    expect(seenBy(alice, 'bob').verified).toBe(true)
    expect(linesOf(alice)).toContain('You verified the device of “bob”.')
    await alice.meeting.unverify(seenBy(alice, 'bob'))
    expect(seenBy(alice, 'bob').verified).toBe(false)
    expect(watch.judged.at(-1)).toEqual(['bob', false, false])
  })

  it('is remembered in the next meeting, and another device of theirs stands out', async () => {
    const room = opened()
    const [mine, theirs] = [memorySessionStore(), memorySessionStore()]
    const alice = await room.join('alice', () => {}, { store: mine })
    const bob = await room.join('bob', () => {}, { store: theirs })
    await room.agreed([alice, bob], ['alice', 'bob'])
    await alice.meeting.verify(seenBy(alice, 'bob'))
    for (const { meeting } of [alice, bob]) void meeting.leave()
    await room.until(() => [alice, bob].every(({ witness }) => witness.ended.length === 1))
    room.delivery.end()

    const again = await room.join('alice', () => {}, { store: mine })
    const watch = new Watch(again.meeting)
    const same = await room.join('bob', () => {}, { store: theirs })
    await room.agreed([again, same], ['alice', 'bob'])
    expect(seenBy(again, 'bob')).toMatchObject({ verified: true, deviceChanged: false })
    expect(watch.suspects).toEqual([])

    const other = await room.join('bob')
    await room.agreed([again, same, other], ['alice', 'bob', 'bob'])
    const suspect = again.meeting.participantAt(other.meeting.self.leaf)
    expect(suspect).toMatchObject({ verified: false, deviceChanged: true })
    expect(watch.suspects).toEqual([suspect])
    expect(linesOf(again).at(-1)).toBe('“bob” is here with a device that you have not verified.')
  })

  it('warns of another device that was there first', async () => {
    const room = opened()
    const store = memorySessionStore()
    const [alice, bob] = [await room.join('alice', () => {}, { store }), await room.join('bob')]
    await room.agreed([alice, bob], ['alice', 'bob'])
    await alice.meeting.verify(seenBy(alice, 'bob'))
    for (const { meeting } of [alice, bob]) void meeting.leave()
    await room.until(() => [alice, bob].every(({ witness }) => witness.ended.length === 1))
    room.delivery.end()
    const impostor = await room.join('bob')
    const again = await room.join('alice', () => {}, { store })
    await room.agreed([impostor, again], ['alice', 'bob'])
    expect(seenBy(again, 'bob').deviceChanged).toBe(true)
    expect(linesOf(again)).toContain('“bob” is here with a device that you have not verified.')
  })

  it('of one of two devices casts doubt on the other', async () => {
    const room = opened()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const [laptop, phone] = [await room.join('bob'), await room.join('bob')]
    await room.agreed([alice, laptop, phone], ['alice', 'bob', 'bob'])
    const watch = new Watch(alice.meeting)
    const [one] = alice.meeting.view.members.filter(({ identity }) => identity === 'bob')
    await alice.meeting.verify(one as Participant)
    expect(watch.judged.sort()).toEqual([
      ['bob', false, true],
      ['bob', true, false],
    ])
  })

  it('asks for somebody else who is there, in a meeting that goes on', async () => {
    const room = opened()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    const { meeting } = alice
    const other = seenBy(alice, 'bob')
    await expect(meeting.verify(meeting.self)).rejects.toMatchObject({ code: 'argument-invalid' })
    expect(() => meeting.fingerprintWith(meeting.self)).toThrow(
      expect.objectContaining({ code: 'argument-invalid' }),
    )
    const strangers = [
      { ...other, leaf: 9 },
      { ...other, identity: 'eve' },
      { ...other, deviceKey: new Uint8Array(32) },
    ]
    for (const stranger of strangers) {
      const unknown = { code: 'participant-unknown' }
      await expect(meeting.verify(stranger)).rejects.toMatchObject(unknown)
      await expect(meeting.unverify(stranger)).rejects.toMatchObject(unknown)
    }
    void bob.meeting.leave()
    await room.agreed([alice], ['alice'])
    await expect(meeting.verify(other)).rejects.toMatchObject({ code: 'participant-unknown' })
    await meeting.leave()
    await expect(meeting.verify(other)).rejects.toMatchObject({ code: 'session-ended' })
  })

  it('that the store cannot keep did not happen', async () => {
    const room = opened()
    const store = memorySessionStore()
    let full = false
    const write: typeof store.write = (changes) =>
      full ? Promise.reject(new Error('no room')) : store.write(changes)
    const alice = await room.join('alice', () => {}, { store: { ...store, write } })
    const bob = await room.join('bob')
    await room.agreed([alice, bob], ['alice', 'bob'])
    const watch = new Watch(alice.meeting)
    full = true
    await expect(alice.meeting.verify(seenBy(alice, 'bob'))).rejects.toThrow('no room')
    full = false
    expect(seenBy(alice, 'bob').verified).toBe(false)
    expect([watch.judged, linesOf(alice).filter((line) => line.includes('verified'))]).toEqual([
      [],
      [],
    ])
  })

  it('says nothing any more where the meeting ends meanwhile', async () => {
    const room = opened()
    const store = memorySessionStore()
    const written = Promise.withResolvers<void>()
    let slow = false
    const write: typeof store.write = async (changes) => {
      if (slow) await written.promise
      await store.write(changes)
    }
    const alice = await room.join('alice', () => {}, { store: { ...store, write } })
    const bob = await room.join('bob')
    await room.agreed([alice, bob], ['alice', 'bob'])
    const watch = new Watch(alice.meeting)
    slow = true
    const verifying = alice.meeting.verify(seenBy(alice, 'bob'))
    slow = false
    void alice.meeting.leave()
    await room.until(() => alice.witness.ended.length === 1)
    written.resolve()
    await verifying
    expect(watch.judged).toEqual([])
    expect(await store.keys('verified/')).toHaveLength(1)
  })
})

describe('joining', () => {
  it.each([
    ['store-unavailable', new Error('a store of the application’s own')],
    ['store-corrupted', new SessionError('store-corrupted', 'damaged')],
  ])('fails where it cannot be read who is verified: %s', async (code, error) => {
    const room = opened()
    const store = memorySessionStore()
    const keys = () => Promise.reject(error)
    expect(await room.refusalOf('alice', () => {}, { store: { ...store, keys } })).toBe(code)
  })

  it('that is given up while the store is read never begins', async () => {
    const room = opened()
    const store = memorySessionStore()
    const read = Promise.withResolvers<readonly string[]>()
    const joining = room.begin('alice', () => {}, {
      store: { ...store, keys: () => read.promise },
      joinTimeoutMs: 100,
    })
    await room.until(() => joining.failure !== undefined)
    expect(joining.failure).toBe('join-timeout')
    read.resolve([])
    await room.rest()
    expect(joining.port.requests).toEqual([])
  })
})

describe('the safety code', () => {
  it('of everybody in an epoch is the same by digits and by what is scanned', async () => {
    const room = opened()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    const { safetyCode, view } = alice.meeting
    expect(safetyCode).toMatchObject({ epoch: view.epoch, digits: view.safetyCode })
    expect(bob.meeting.compareSafetyCode(safetyCode.qr)).toBe('same')
    const carol = await room.join('carol')
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    expect(bob.meeting.compareSafetyCode(safetyCode.qr)).toBe('other-epoch')
    expect(bob.meeting.compareSafetyCode(carol.meeting.safetyCode.qr)).toBe('same')
    expect(() => bob.meeting.compareSafetyCode('https://example.org')).toThrow(
      expect.objectContaining({ code: 'safety-code-invalid' }),
    )
  })

  it('tells two groups of one meeting apart', async () => {
    const [here, there] = [opened(), opened()]
    const [alice] = (await here.meetingOf('alice')) as [Client]
    const [bob] = (await there.meetingOf('bob')) as [Client]
    expect(alice.meeting.compareSafetyCode(bob.meeting.safetyCode.qr)).toBe('different')
  })
})
