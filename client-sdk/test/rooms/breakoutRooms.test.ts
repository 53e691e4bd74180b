import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type MeetingEvents,
  memorySessionStore,
  type SecureMeeting,
  type SessionError,
} from '../../src/index.ts'
import { WaitingList } from '../../src/session/waitingList.ts'
import { startKeyserver } from '../session/keyserver.ts'
import { identities } from '../session/support/witness.ts'
import { agreed, Guest, guests, type Line, patience } from './guests.ts'

type Four = [Guest, Guest, Guest, Guest]

const refusal = (code: string) => expect.objectContaining({ code })
const sender = {} as RTCRtpSender

describe('breakout rooms', () => {
  it('are meetings of their own, for those who were called', async () => {
    const server = await startKeyserver()
    const all = await guests(server, 'alice', 'bob', 'carol', 'dave')
    const [alice, bob, carol, dave] = all as Four
    for (const { meeting } of all) await meeting.protect(sender, { source: 'camera' })
    const parentKeys = all.map(({ mediaKeys }) => [...mediaKeys].at(-1))
    expect(new Set(parentKeys).size).toBe(1)

    const red = await alice.open('red', 'bob')
    const blue = await carol.open('blue', 'dave')
    const bobs = await bob.enter('red')
    const daves = await dave.enter('blue')
    await agreed([red, bobs], ['alice', 'bob'])
    await agreed([blue, daves], ['carol', 'dave'])
    expect((await bob.called('red')).openedBy.identity).toBe('alice')
    expect(bob.invitations.map(({ name }) => name)).toEqual(['red'])
    const codes = [red, blue, alice.meeting].map(({ view }) => view.safetyCode)
    expect(new Set(codes).size).toBe(3)

    // Each has media keys of its own, which all who are in there have.
    for (const room of [red, bobs, blue, daves]) await room.protect(sender, { source: 'camera' })
    const [redKey, bobsKey, blueKey, davesKey] = [alice, bob, carol, dave].map(({ mediaKeys }) =>
      [...mediaKeys].at(-1),
    )
    expect(bobsKey).toBe(redKey)
    expect(davesKey).toBe(blueKey)
    expect(new Set([redKey, blueKey, parentKeys[0]]).size).toBe(3)

    // What is said in a room stays there.
    const said: string[] = []
    const listen = (where: string, meeting: SecureMeeting) =>
      meeting.on('message', ({ text }) => said.push(`${where}: ${text}`))
    listen('red', bobs)
    listen('blue', daves)
    listen('all', dave.meeting)
    await red.send({ text: 'in red' })
    await blue.send({ text: 'in blue' })
    await alice.meeting.send({ text: 'to all' })
    await expect.poll(() => said, patience).toHaveLength(3)
    expect(said.sort()).toEqual(['all: to all', 'blue: in blue', 'red: in red'])
  })

  it('are left and entered again', async () => {
    const server = await startKeyserver()
    const [alice, bob] = (await guests(server, 'alice', 'bob')) as Four
    const red = await alice.open('red', 'bob')
    const bobs = await bob.enter('red')
    await agreed([red, bobs], ['alice', 'bob'])
    await expect(bob.meeting.enterRoom(await bob.called('red'))).rejects.toEqual(
      refusal('argument-invalid'),
    )
    await bobs.leave()
    await expect.poll(() => identities(red), patience).toEqual(['alice'])
    expect(identities(alice.meeting)).toEqual(['alice', 'bob'])
    await agreed([red, await bob.enter('red')], ['alice', 'bob'])
    expect(bob.endings).toEqual(['left '])
  })

  it('are entered although the keyserver refuses for a while, of which their meeting tells', async () => {
    const server = await startKeyserver()
    const [alice, bob] = (await guests(server, 'alice', 'bob')) as Four
    const red = await alice.open('red', 'bob')
    const problems: (string | undefined)[] = []
    bob.meeting.on('problem', (error) => problems.push((error as SessionError).detail))
    bob.lay = (line) => {
      const { request } = line
      const refuseOnce = async () => {
        line.request = request
        return { ok: false, code: 'unavailable', message: 'not now' }
      }
      line.request = ((name, content) =>
        name === 'wait' ? refuseOnce() : request(name, content)) as Line['request']
    }
    await agreed([red, await bob.enter('red')], ['alice', 'bob'])
    expect(problems).toEqual(['unavailable'])
  })

  it('are known after a crash, which costs no place in them', async () => {
    const server = await startKeyserver()
    const store = memorySessionStore()
    const [alice] = (await guests(server, 'alice')) as Four
    const bob = await Guest.of(server, 'bob', store)
    await agreed([alice.meeting, bob.meeting], ['alice', 'bob'])
    const red = await alice.open('red', 'bob')
    const { id } = await bob.called('red')
    const bobs = await bob.enter('red')
    await agreed([red, bobs], ['alice', 'bob'])
    const left: string[] = []
    for (const meeting of [alice.meeting, red]) {
      meeting.on('participantLeft', ({ identity }) => left.push(identity))
    }
    bob.crash()
    // Meanwhile both go on.
    const carol = await Guest.of(server, 'carol')
    await red.send({ text: 'nobody hears' })
    const again = await Guest.of(server, 'bob', store)
    expect(await again.meeting.rooms()).toEqual([{ id, name: 'red' }])
    const back = await again.meeting.enterRoom({ id })
    await agreed([red, back], ['alice', 'bob'])
    await agreed([alice.meeting, again.meeting, carol.meeting], ['alice', 'bob', 'carol'])
    expect(back.self.leaf).toBe(bobs.self.leaf)
    expect(left).toEqual([])
  })

  it('are left with the meeting', async () => {
    const server = await startKeyserver()
    const [alice, bob, carol] = (await guests(server, 'alice', 'bob', 'carol')) as Four
    const red = await alice.open('red', 'bob', 'carol')
    const rooms = [red, await bob.enter('red'), await carol.enter('red')]
    await agreed(rooms, ['alice', 'bob', 'carol'])
    await carol.meeting.leave()
    expect(carol.endings).toEqual(['closed meeting-closed'])
    await agreed(rooms.slice(0, 2), ['alice', 'bob'])
    await agreed([alice.meeting, bob.meeting], ['alice', 'bob'])
    await expect(carol.meeting.enterRoom({ id: 'any' })).rejects.toEqual(refusal('meeting-closed'))
    await alice.meeting.leave()
    expect([alice.census.left, carol.census.left]).toEqual([0, 0])
  })

  it('end with the meeting', async () => {
    const server = await startKeyserver()
    const [alice, bob] = (await guests(server, 'alice', 'bob')) as Four
    const red = await alice.open('red', 'bob')
    await agreed([red, await bob.enter('red')], ['alice', 'bob'])
    bob.lines[0]?.reject()
    await expect.poll(() => bob.endings, patience).toEqual(['closed keyserver-refused'])
    await agreed([red], ['alice'])
  })

  it('let go whoever was removed from the meeting, even one who stays', async () => {
    const server = await startKeyserver({ graceMs: 300 })
    const [alice, bob, carol] = (await guests(server, 'alice', 'bob', 'carol')) as Four
    const red = await alice.open('red', 'bob', 'carol')
    const carols = await carol.enter('red')
    const rooms = [red, await bob.enter('red')]
    await agreed([...rooms, carols], ['alice', 'bob', 'carol'])
    const departures: Parameters<MeetingEvents['participantLeft']>[1][] = []
    red.on('participantLeft', (_, departure) => departures.push(departure))
    // Of the room she is still in touch, of the meeting no more.
    carol.lines[0]?.cut()
    await agreed([alice.meeting, bob.meeting], ['alice', 'bob'])
    await agreed(rooms, ['alice', 'bob'])
    expect(departures.map(({ reason }) => reason)).toEqual(['removed'])
    expect(carols.view.safetyCode).not.toBe(red.view.safetyCode)
    expect([...alice.losses, ...bob.losses]).toEqual([])
  })

  it('are followed by whoever hears of the meeting later than of the room', async () => {
    const server = await startKeyserver()
    const [alice, bob] = (await guests(server, 'alice', 'bob')) as Four
    const red = await alice.open('red', 'bob', 'carol')
    const bobs = await bob.enter('red')
    await agreed([red, bobs], ['alice', 'bob'])
    bob.lines[0]?.hold()
    const carol = await Guest.of(server, 'carol')
    await expect.poll(() => identities(alice.meeting), patience).toHaveLength(3)
    // Carol was called before she came: somebody who is there tells her.
    const carols = await carol.enter('red')
    await expect.poll(() => identities(red), patience).toHaveLength(3)
    expect(identities(bobs)).toEqual(['alice', 'bob'])
    bob.lines[0]?.release()
    await agreed([red, bobs, carols], ['alice', 'bob', 'carol'])
    await agreed([alice.meeting, bob.meeting, carol.meeting], ['alice', 'bob', 'carol'])
    expect([...alice.losses, ...bob.losses, ...carol.losses]).toEqual([])
  })

  it('are entered once somebody in there hears how the meeting goes on', async () => {
    const server = await startKeyserver({ graceMs: 300 })
    const [, bob, carol] = (await guests(server, 'alice', 'bob', 'carol')) as Four
    const red = await bob.open('red', 'carol')
    bob.lines[0]?.hold()
    await Guest.of(server, 'dave')
    await expect.poll(() => identities(carol.meeting), patience).toHaveLength(4)
    const entering = carol.enter('red')
    // Bob lets her in with a key that she has not any more.
    await expect.poll(() => red.view.members.length, patience).toBe(2)
    bob.lines[0]?.release()
    await agreed([red, await entering], ['bob', 'carol'])
    expect(bob.losses).toEqual([])
  })

  it('let in who waits once somebody in there hears that they are in the meeting', async () => {
    const choosing = vi.spyOn(WaitingList.prototype, 'choose')
    onTestFinished(() => choosing.mockRestore())
    const server = await startKeyserver()
    const [alice, bob] = (await guests(server, 'alice', 'bob')) as Four
    const red = await alice.open('red', 'bob', 'carol')
    const bobs = await bob.enter('red')
    await agreed([red, bobs], ['alice', 'bob'])
    bob.lines[0]?.hold()
    const carol = await Guest.of(server, 'carol')
    await carol.called('red')
    await red.leave()
    await agreed([bobs], ['bob'])
    const committers: (string | undefined)[] = []
    bobs.on('epochChanged', ({ committer }) => committers.push(committer?.identity))
    choosing.mockClear()
    const entering = carol.enter('red')
    // To bob she is nobody yet.
    await expect.poll(() => choosing.mock.settledResults, patience).toMatchObject([{ value: [] }])
    bob.lines[0]?.release()
    await agreed([bobs, await entering], ['bob', 'carol'])
    expect(committers).toEqual(['bob'])
  })

  it('are open to nobody who was not called', async () => {
    const server = await startKeyserver()
    const [alice, bob, carol] = (await guests(server, 'alice', 'bob', 'carol')) as Four
    const red = await alice.open('red', 'bob')
    const { id } = await bob.called('red')
    await expect(carol.meeting.enterRoom({ id })).rejects.toEqual(refusal('room-unknown'))
    expect(carol.invitations).toEqual([])
    await expect(red.openRoom('within', [])).rejects.toEqual(refusal('argument-invalid'))
    for (const name of ['', 'x'.repeat(257), '\ud800']) {
      await expect(bob.meeting.openRoom(name, [])).rejects.toEqual(refusal('argument-invalid'))
    }
    const crowd = Array.from({ length: 384 }, (_, i) => ({ identity: `${i}` }))
    await expect(bob.meeting.openRoom('all', crowd)).rejects.toEqual(refusal('argument-invalid'))
    // As many as may be called fit into the message that calls them.
    await bob.meeting.openRoom('most', crowd.slice(1))
  })

  it('are not entered any more by somebody who leaves the meeting', async () => {
    const server = await startKeyserver()
    const [alice, bob] = (await guests(server, 'alice', 'bob')) as Four
    await alice.open('red', 'bob')
    const entering = bob.enter('red')
    await bob.called('red')
    const left = bob.meeting.leave()
    await expect(entering).rejects.toEqual(refusal('meeting-closed'))
    await left
  })
})
