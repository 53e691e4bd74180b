import { describe, expect, it } from 'vitest'
import { memorySessionStore, type SecureMeeting } from '../../src/index.ts'
import { startKeyserver } from './keyserver.ts'
import { Census } from './support/census.ts'
import { agree, identities } from './support/witness.ts'

/** For a loaded machine; nothing here takes that long. */
const patience = { timeout: 20_000, interval: 10 }

async function agreed(meetings: readonly SecureMeeting[], members: readonly string[]) {
  await expect.poll(() => agree(meetings, members), patience).toBe(true)
}

describe('a meeting over a real keyserver', () => {
  it('is founded by the first and joined by the others, who see the same safety code', async () => {
    const server = await startKeyserver()
    const alice = await server.join('alice')
    const bob = await server.join('bob')
    const carol = await server.join('carol')
    await agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    expect(alice.view.safetyCode).toMatch(/^(\d{5} ){5}\d{5}$/)
    expect([alice, bob, carol].map(({ self }) => self.identity)).toEqual(['alice', 'bob', 'carol'])
  })

  it('has one group, however many found it at the same instant', async () => {
    const server = await startKeyserver()
    const names = ['alice', 'bob', 'carol', 'dan', 'erin', 'frank']
    const meetings = await Promise.all(names.map((name) => server.join(name)))
    await agreed(meetings, names)
    expect(meetings.filter((meeting) => server.witness(meeting).ended.length > 0)).toEqual([])
  })

  it('takes in a crowd with few commits', async () => {
    const server = await startKeyserver()
    const founder = await server.join('founder')
    const names = Array.from({ length: 12 }, (_, i) => `joiner ${i}`)
    const joiners = await Promise.all(names.map((name) => server.join(name)))
    await agreed([founder, ...joiners], ['founder', ...names])
    expect(Number(founder.view.epoch)).toBeLessThanOrEqual(4)
    const { epochs, joined } = server.witness(founder)
    expect(epochs.at(-1)?.members).toHaveLength(13)
    expect([...joined].sort()).toEqual([...names].sort())
  })

  it('rotates when somebody leaves, whose secrets are wiped', async () => {
    const server = await startKeyserver()
    const census = new Census()
    const alice = await server.join('alice')
    const bob = await server.join('bob', { crypto: census.crypto })
    const carol = await server.join('carol')
    await agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    const { epoch, safetyCode } = alice.view
    await bob.leave()
    expect(server.witness(bob).ended).toEqual([{ reason: 'left', error: undefined }])
    expect(census.taken).toBeGreaterThan(20)
    expect(census.left).toBe(0)
    await agreed([alice, carol], ['alice', 'carol'])
    expect(alice.view.epoch).toBeGreaterThan(epoch)
    expect(alice.view.safetyCode).not.toBe(safetyCode)
    expect(server.witness(alice).left).toEqual(['bob'])
    expect(bob.view.epoch).toBe(epoch)
  })

  it('ends with the last who leaves, and whoever comes next need not wait for the grace', async () => {
    const server = await startKeyserver({ graceMs: 3_600_000 })
    const alice = await server.join('alice')
    await alice.leave()
    const bob = await server.join('bob')
    expect(bob.view.epoch).toBe(0n)
    expect(identities(bob)).toEqual(['bob'])
  })

  it('goes on while people come and go at once', async () => {
    const server = await startKeyserver()
    const staying = await Promise.all(['alice', 'bob'].map((name) => server.join(name)))
    const leaving = await Promise.all(['x', 'y', 'z'].map((name) => server.join(name)))
    const coming = ['carol', 'dan', 'erin'].map((name) => server.join(name))
    await Promise.all(leaving.map((meeting) => meeting.leave()))
    const came = await Promise.all(coming)
    await agreed([...staying, ...came], ['alice', 'bob', 'carol', 'dan', 'erin'])
  })

  it('shows a device by the same key in each of its meetings, and by two leaves in one', async () => {
    const server = await startKeyserver()
    const store = memorySessionStore()
    const token = await server.tokenFor('alice', '*')
    const [standup, twice, retro] = await Promise.all(
      ['standup', 'standup', 'retro'].map((meetingId) =>
        server.join('alice', { store, meetingId, token }),
      ),
    )
    const meetings = [standup, twice, retro] as [SecureMeeting, SecureMeeting, SecureMeeting]
    await agreed(meetings.slice(0, 2), ['alice', 'alice'])
    expect(new Set(meetings.map(({ self }) => self.deviceKey.join())).size).toBe(1)
    expect(meetings[0].self.leaf).not.toBe(meetings[1].self.leaf)
    expect(identities(meetings[2])).toEqual(['alice'])
  })

  it('closes every connection of those who have left', async () => {
    const server = await startKeyserver()
    const meetings = await Promise.all(['alice', 'bob'].map((name) => server.join(name)))
    expect(server.connections).toBe(2)
    await Promise.all(meetings.map((meeting) => meeting.leave()))
    await expect.poll(() => server.connections, patience).toBe(0)
  })
})

describe('whoever may not join a meeting', () => {
  it('a token for another meeting is refused', async () => {
    const server = await startKeyserver()
    const token = await server.tokenFor('eve', 'retro')
    await expect(server.join('eve', { token })).rejects.toMatchObject({
      code: 'keyserver-refused',
      detail: 'token-wrong-meeting',
    })
    await expect.poll(() => server.connections, patience).toBe(0)
  })

  it.each([
    ['no token', () => ''],
    ['rubbish', () => 'eyJ.rubbish'],
    [
      'a token source that throws',
      () => {
        throw new Error('the backend is down')
      },
    ],
    ['a token source that rejects', () => Promise.reject(new Error('the backend is down'))],
  ])('%s is refused', async (_, token) => {
    const server = await startKeyserver()
    await expect(server.join('eve', { token })).rejects.toMatchObject({
      code: 'keyserver-refused',
      detail: expect.stringMatching(/^token-/),
    })
  })

  it('a token is asked for at every attempt', async () => {
    const server = await startKeyserver()
    let asked = 0
    const meeting = await server.join('alice', {
      token: () => {
        asked += 1
        return server.tokenFor('alice')
      },
    })
    expect(asked).toBe(1)
    await meeting.leave()
  })

  it('other terms than the meeting’s are noticed by the joiner, and disturb nobody', async () => {
    const server = await startKeyserver({ graceMs: 1_000 })
    const [alice, bob] = (await Promise.all(['alice', 'bob'].map((name) => server.join(name)))) as [
      SecureMeeting,
      SecureMeeting,
    ]
    await agreed([alice, bob], ['alice', 'bob'])
    const trust = { policy: 'open', admissionKeys: [Uint8Array.of(1, 2, 3)] } as const
    await expect(server.join('eve', { trust })).rejects.toMatchObject({
      code: 'meeting-terms-differ',
    })
    await expect.poll(() => server.witness(alice).left, patience).toContain('eve')
    await agreed([alice, bob], ['alice', 'bob'])
    expect([alice, bob].flatMap((meeting) => server.witness(meeting).ended)).toEqual([])
  })

  it('a policy that this version does not enforce is refused before anything is founded', async () => {
    const server = await startKeyserver()
    const trust = { policy: 'ticket' } as const
    await expect(server.join('eve', { trust })).rejects.toMatchObject({
      code: 'admission-policy-unsupported',
    })
    const alice = await server.join('alice')
    expect(identities(alice)).toEqual(['alice'])
  })

  it('a keyserver that is not there is given up on in time', async () => {
    const server = await startKeyserver()
    const joining = server.join('alice', { keyserver: 'http://127.0.0.1:9', joinTimeoutMs: 300 })
    await expect(joining).rejects.toMatchObject({ code: 'join-timeout' })
  })
})
