import type { RequestName } from '@conclave/core/delivery'
import { describe, expect, it } from 'vitest'
import {
  type Attendee,
  agreeOnKeys,
  all,
  chacha,
  type Four,
  meetingOf,
  outcomeOf,
  talk,
} from './support/attendees.ts'
import { Device } from './support/device.ts'
import { refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

/** Whoever is the so-maniest to ask for this is gone before it is answered. */
function goneAtFounding(attendees: readonly Attendee[], count: number): Attendee[] {
  const gone: Attendee[] = []
  for (const attendee of attendees) {
    attendee.port.tamper.offers = async (_, honest) => {
      if (gone.length < count) {
        gone.push(attendee)
        void attendee.meeting.leave()
        attendee.port.drop()
        return await new Promise<never>(() => {})
      }
      return await honest()
    }
  }
  return gone
}

describe('a meeting that is reinitialised', () => {
  it('goes on with the new suite: the same people, new keys, and nobody has come or gone', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob] = attendees
    const groups = new Set(attendees.map(({ keys }) => keys.newest.baseKey.join()))
    const outcome = outcomeOf(bob.meeting.reinitialise({ cipherSuite: chacha }))
    await room.until(() => outcome.value !== '')
    expect(outcome.value).toBe('done')
    await room.agreed(attendees, all)
    agreeOnKeys(attendees)
    expect(groups.has(alice.keys.newest.baseKey.join())).toBe(false)
    for (const { meeting, witness, keys } of attendees) {
      expect(witness.reinitialised).toEqual(['3 bob'])
      expect(witness.left).toEqual([])
      expect(witness.lost).toEqual([])
      expect(meeting.view.epoch).toBe(1n)
      const entries = meeting.history.filter(({ what }) => what === 'reinitialised')
      expect(entries).toHaveLength(1)
      // Whoever was heard at a leaf is at the one that has taken its place.
      expect([...(keys.newest.continues?.values() ?? [])].sort()).toEqual([0, 1, 2, 3])
      expect(keys.installed.at(-2)?.isLast).toBe(true)
    }
    await talk(room, attendees)
    // It goes on like any meeting: somebody comes, and somebody goes.
    const eve = await room.join('eve')
    await room.agreed([...attendees, eve], [...all, 'eve'])
    await bob.meeting.leave()
    await room.agreed([alice, ...attendees.slice(2), eve], ['alice', 'carol', 'dan', 'eve'])
    expect(alice.witness.problems).toEqual([])
  })

  it('of one goes on alone', async () => {
    const room = Room.open('the real one')
    const [alice] = (await meetingOf(room, 'alice')) as [Attendee]
    const outcome = outcomeOf(alice.meeting.reinitialise({ cipherSuite: chacha }))
    await room.until(() => outcome.value !== '')
    expect(outcome.value).toBe('done')
    const bob = await room.join('bob')
    await room.agreed([alice, bob], ['alice', 'bob'])
  })

  it('can be so again', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, 'alice', 'bob')) as [Attendee, Attendee]
    for (const [{ meeting }, suite] of [
      [attendees[0], 3],
      [attendees[1], 1],
      [attendees[0], 1],
    ] as const) {
      const outcome = outcomeOf(meeting.reinitialise({ cipherSuite: suite }))
      await room.until(() => outcome.value !== '')
      expect(outcome.value).toBe('done')
      await room.agreed(attendees, ['alice', 'bob'])
      agreeOnKeys(attendees)
    }
    expect(attendees[1].witness.reinitialised).toEqual(['3 alice', '1 bob', '1 alice'])
  })

  it('keeps what its members write meanwhile', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob, carol] = attendees
    void alice.meeting.reinitialise({ cipherSuite: chacha })
    await room.until(() => bob.port.count('offer') > 0)
    const sent = outcomeOf(carol.meeting.send({ text: 'in between' }))
    await room.until(() => sent.value !== '' && bob.witness.chat.length > 0)
    expect(sent.value).toBe('done')
    expect(bob.witness.chat).toEqual(['carol: in between'])
    await room.until(() => bob.witness.reinitialised.length > 0)
  })
})

describe('the next group', () => {
  it.each([
    ['whoever has committed the ReInit', 1],
    ['whoever was to found it', 2],
    ['all but one', 3],
  ])('is founded though %s is gone', async (_, count) => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const gone = goneAtFounding(attendees, count)
    void attendees[0].meeting.reinitialise({ cipherSuite: chacha }).catch(() => {})
    await room.until(() => gone.length === count)
    const left = attendees.filter((attendee) => !gone.includes(attendee))
    await room.until(() => left.every(({ witness }) => witness.reinitialised.length > 0))
    const names = left.map(({ name }) => name)
    // Those who are gone are in there until they have been away for too long.
    await room.agreed(left, names)
    agreeOnKeys(left)
    await talk(room, left)
  })

  it('is founded once, by whoever is first, and the other one joins it', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const founders: string[] = []
    const second = Promise.withResolvers<void>()
    for (const { port, name } of attendees) {
      port.tamper.continue = async (_, honest) => {
        founders.push(name)
        if (founders.length === 1) await second.promise
        else second.resolve()
        return await honest()
      }
    }
    const outcome = outcomeOf(attendees[0].meeting.reinitialise({ cipherSuite: chacha }))
    await room.until(() => founders.length === 2 && outcome.value !== '')
    await room.agreed(attendees, all)
    agreeOnKeys(attendees)
    for (const { witness } of attendees) {
      expect(witness.lost).toEqual([])
      expect(witness.left).toEqual([])
    }
  })

  it('is entered by whoever has lost its connection when it was founded', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob] = attendees
    for (const { port } of [alice, ...attendees.slice(2)]) {
      port.tamper.offers = async (_, honest) => {
        bob.port.drop()
        return await honest()
      }
    }
    bob.port.tamper.offers = async () => await new Promise(() => {})
    void alice.meeting.reinitialise({ cipherSuite: chacha })
    await room.until(() => alice.witness.reinitialised.length > 0)
    bob.port.connect()
    await room.agreed(attendees, all)
    agreeOnKeys(attendees)
    expect(bob.witness.reinitialised).toEqual(['3 alice'])
    expect(bob.witness.lost).toEqual([])
  })

  it('is followed by whom the keyserver could not answer at first', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const refused = new Set<Attendee>()
    for (const attendee of attendees) {
      attendee.port.tamper.resume = async (_, honest) => {
        if (refused.has(attendee)) return await honest()
        refused.add(attendee)
        return refuse('unavailable')
      }
    }
    void attendees[0].meeting.reinitialise({ cipherSuite: chacha })
    await room.until(() => refused.size === all.length)
    await room.agreed(attendees, all)
    await talk(room, attendees)
  })

  it('is entered by its founder, whose answer was lost and whose second request is refused', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const founding: Attendee[] = []
    for (const attendee of attendees) {
      attendee.port.tamper.continue = async (_, honest) => {
        founding.push(attendee)
        if (founding.length === 2) return refuse('presence-invalid')
        const answer = await honest()
        return founding.length === 1 ? await new Promise<never>(() => {}) : answer
      }
    }
    void attendees[0].meeting.reinitialise({ cipherSuite: chacha })
    const reinitialised = ({ witness }: Attendee) => witness.reinitialised.length > 0
    await room.until(() => attendees.filter(reinitialised).length === all.length - 1)
    founding[0]?.port.drop()
    founding[0]?.port.connect()
    await room.agreed(attendees, all)
    agreeOnKeys(attendees)
    expect(founding.map(({ name }) => name)).toEqual(Array(2).fill(founding[0]?.name))
  })

  it('ends the session of whoever goes there where the keyserver has lost it', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob] = attendees
    bob.port.notices = (notice) => (notice.name === 'welcome' ? [] : [notice])
    const gone = async () => refuse('group-unknown')
    bob.port.tamper.wait = async () => {
      bob.port.notices = () => []
      Object.assign(bob.port.tamper, { groupInfo: gone, resume: gone })
      return await gone()
    }
    void alice.meeting.reinitialise({ cipherSuite: chacha })
    await room.until(() => bob.witness.ended.length > 0)
    expect(bob.witness.ended[0]).toMatchObject({ reason: 'closed' })
  })

  it('is entered by whoever cannot use the Welcome, in the place that waits there', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob] = attendees
    bob.port.notices = (notice) => (notice.name === 'welcome' ? [] : [notice])
    void alice.meeting.reinitialise({ cipherSuite: chacha })
    await room.until(() => alice.witness.reinitialised.length > 0)
    await room.agreed(attendees, all)
    agreeOnKeys(attendees)
    for (const { witness } of attendees) expect(witness.left).toEqual([])
  })
})

describe('what is proposed beside it', () => {
  it('comes first', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob, carol, dan] = attendees
    const leaving = Promise.withResolvers<void>()
    dan.port.tamper.offer = async (_, honest) => {
      leaving.resolve()
      return await honest()
    }
    const outcome = outcomeOf(alice.meeting.reinitialise({ cipherSuite: chacha }))
    void leaving.promise.then(() => dan.meeting.leave())
    await room.until(() => outcome.value !== '')
    expect(outcome.value).toBe('done')
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    expect(alice.witness.left).toEqual(['dan'])
  })

  it('does not keep newcomers out', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const outcome = outcomeOf(attendees[0].meeting.reinitialise({ cipherSuite: chacha }))
    const eve = room.begin('eve')
    await room.until(() => outcome.value !== '' && eve.client !== undefined)
    expect(outcome.value).toBe('done')
    await room.agreed([...attendees, eve.client as Client], [...all, 'eve'])
  })

  it('is a ReInit of somebody else’s, of which one counts', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const outcomes = attendees.map(({ meeting }) =>
      outcomeOf(meeting.reinitialise({ cipherSuite: chacha })),
    )
    await room.until(() => outcomes.every(({ value }) => value !== ''))
    expect(outcomes.map(({ value }) => value)).toEqual(['done', 'done', 'done', 'done'])
    await room.agreed(attendees, all)
  })
})

describe('a process that dies while the meeting is reinitialised', () => {
  /** Bob’s process does everything on a device of its own. */
  async function settled(room: Room) {
    const device = new Device()
    const process = device.start()
    const [alice, carol] = (await meetingOf(room, 'alice', 'carol')) as [Attendee, Attendee]
    const store = process.store
    const bob = await room.join('bob', (port) => process.useOf(port), { store })
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    return { device, process, alice, bob, carol }
  }

  async function backAgain(room: Room, device: Device): Promise<Client> {
    const process = device.start()
    return await room.join('bob', (port) => process.useOf(port), { store: process.store })
  }

  const requests: readonly [RequestName, 'begins' | 'is done'][] = [
    ['offer', 'begins'],
    ['offer', 'is done'],
    ['commit', 'begins'],
    ['commit', 'is done'],
    ['offers', 'begins'],
    ['offers', 'is done'],
    ['continue', 'begins'],
    ['continue', 'is done'],
  ]

  it.each(requests)('when %s %s, comes back to the meeting', async (name, when) => {
    const room = Room.open('the real one')
    const { device, process, alice, bob, carol } = await settled(room)
    const patience = Promise.withResolvers<void>()
    // Bob commits and founds, where the others let him.
    for (const { port } of [alice, carol]) {
      port.tamper.offers = async (_, honest) => {
        await patience.promise
        return await honest()
      }
    }
    const noted = bob.port.request.bind(bob.port)
    bob.port.request = async (asked, body) => {
      if (asked === name && when === 'begins') process.die()
      const reply = await noted(asked, body)
      if (asked === name && when === 'is done') process.die()
      return reply
    }
    const outcome = outcomeOf(alice.meeting.reinitialise({ cipherSuite: chacha }))
    await room.until(() => process.isDead || outcome.value !== '')
    expect(process.isDead).toBe(true)
    patience.resolve()
    const again = await backAgain(room, device)
    await room.agreed([alice, again, carol], ['alice', 'bob', 'carol'])
    await room.until(() => outcome.value !== '')
    expect(outcome.value).toBe('done')
    await room.agreed([alice, again, carol], ['alice', 'bob', 'carol'])
    // Nobody has seen bob leave, who is back so soon.
    expect(alice.witness.left).toEqual([])
  })

  it('and nothing is left in the store at the end', async () => {
    const room = Room.open('the real one')
    const { device, process, alice, carol, bob } = await settled(room)
    const outcome = outcomeOf(alice.meeting.reinitialise({ cipherSuite: chacha }))
    await room.until(() => outcome.value !== '')
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    process.die()
    const again = await backAgain(room, device)
    await room.agreed([alice, again, carol], ['alice', 'bob', 'carol'])
    await again.meeting.leave()
    await room.rest()
    expect([...(await device.contents()).keys()]).toEqual(['device-key'])
  })
})
