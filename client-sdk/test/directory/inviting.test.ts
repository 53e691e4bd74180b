import { toHex, utf8 } from '@conclave/core/codec'
import type { Mail } from '@conclave/core/delivery'
import { describe, expect, it } from 'vitest'
import { connectServer } from '../../src/edge/serverConnection.ts'
import { socketTransport } from '../../src/edge/socketTransport.ts'
import {
  type DeliveryTransport,
  type JoinOptions,
  memorySessionStore,
  type SecureMeeting,
} from '../../src/index.ts'
import { meetingId, startKeyserver, type TestServer } from '../session/keyserver.ts'
import { Census } from '../session/support/census.ts'
import { agree } from '../session/support/witness.ts'
import { connectAs, openDevice, patience, type TestDevice } from './devices.ts'

async function agreed(meetings: readonly SecureMeeting[], members: readonly string[]) {
  await expect.poll(() => agree(meetings, members), patience).toBe(true)
}

/** In the meeting, and allowed to invite others. */
async function host(server: TestServer, identity = 'alice', overrides: Partial<JoinOptions> = {}) {
  const token = await server.tokenFor(identity, meetingId, { join: true, invite: true })
  return await server.join(identity, { token, ...overrides })
}

async function published(server: TestServer, identity: string): Promise<TestDevice> {
  const device = await openDevice(server, identity)
  await expect.poll(() => device.published, patience).toHaveLength(1)
  return device
}

async function invitationOf(device: TestDevice) {
  await expect
    .poll(() => {
      device.directory.check()
      return device.invitations.length
    }, patience)
    .toBe(1)
  return device.invitations[0]
}

/** Joins with the invitation, and which ways in were tried. */
async function accept(
  server: TestServer,
  device: TestDevice,
  overrides: Partial<JoinOptions> = {},
) {
  const { store } = device
  const invitation = await invitationOf(device)
  if (invitation === undefined) throw new Error('nobody was invited')
  const stages: string[] = []
  const meeting = await server.join(invitation.identity, {
    store,
    invitation,
    onProgress: ({ stage }) => stages.push(stage),
    ...overrides,
  })
  return { meeting, stages }
}

describe('somebody who is away', () => {
  it('is added at once, and enters by the Welcome that has waited', async () => {
    const server = await startKeyserver()
    const bob = await published(server, 'bob')
    const alice = await host(server)
    const [invited, ...others] = await alice.invite('bob')
    expect(others).toEqual([])
    expect(alice.view.members.map(({ identity }) => identity).sort()).toEqual(['alice', 'bob'])
    const there = alice.view.members.find(({ identity }) => identity === 'bob')
    expect(invited).toEqual({ identity: 'bob', deviceKey: there?.deviceKey })

    const invitation = await invitationOf(bob)
    expect(invitation).toMatchObject({ meetingId, identity: 'bob' })
    const { meeting, stages } = await accept(server, bob)
    expect(stages).toEqual(['authorised'])
    await agreed([alice, meeting], ['alice', 'bob'])
    expect(meeting.self.leaf).toBe(there?.leaf)
    expect(server.witness(meeting).problems).toEqual([])
  })

  it('has new keys as soon as it is in: those of the KeyPackage have lain in the directory', async () => {
    const server = await startKeyserver()
    const bob = await published(server, 'bob')
    const alice = await host(server)
    await alice.invite('bob')
    const committers: (string | undefined)[] = []
    alice.on('epochChanged', ({ committer }) => committers.push(committer?.identity))
    const { meeting } = await accept(server, bob)
    await expect.poll(() => committers, patience).toEqual(['bob'])
    await agreed([alice, meeting], ['alice', 'bob'])
  })

  it('is told at once where its device is connected', async () => {
    const server = await startKeyserver()
    const bob = await published(server, 'bob')
    const alice = await host(server)
    await alice.invite('bob')
    // Its clock stands still: only the keyserver can have told it.
    await expect.poll(() => bob.invitations, patience).toHaveLength(1)
  })

  it('leaves no private key behind in the store, and no Welcome in the mailbox', async () => {
    const server = await startKeyserver()
    const bob = await published(server, 'bob')
    const before = new Set(await bob.store.keys('key-package/'))
    const alice = await host(server)
    await alice.invite('bob')
    const census = new Census()
    const { meeting } = await accept(server, bob, { crypto: census.crypto })
    const after = new Set(await bob.store.keys('key-package/'))
    expect([...before].filter((key) => !after.has(key))).toHaveLength(1)
    const ask = await connectAs(server, 'bob')
    const { deviceKey } = meeting.self
    await expect.poll(async () => (await ask('mailbox', { deviceKey })).mail, patience).toEqual([])
    await meeting.leave()
    expect(census.left).toBe(0)
  })

  it('may come later than the grace period, and enters as others do', async () => {
    const server = await startKeyserver({ graceMs: 200 })
    const bob = await published(server, 'bob')
    const alice = await host(server)
    await alice.invite('bob')
    await agreed([alice], ['alice'])
    const { meeting } = await accept(server, bob)
    await agreed([alice, meeting], ['alice', 'bob'])
  })

  it('finds the meeting over, and begins it anew', async () => {
    const server = await startKeyserver({ graceMs: 200 })
    const bob = await published(server, 'bob')
    const alice = await host(server)
    await alice.invite('bob')
    const over = alice.view.epoch
    await alice.leave()
    const invitation = await invitationOf(bob)
    const entering = { protocol: 1, minor: 1, meetingId }
    await expect
      .poll(async () => {
        const other = await connectAs(server, 'carol')
        return (await other('enter', entering)).group
      }, patience)
      .toBeNull()
    expect(invitation?.meetingId).toBe(meetingId)
    const { meeting } = await accept(server, bob)
    await agreed([meeting], ['bob'])
    expect(meeting.view.epoch).toBeLessThan(over)
  })

  it('can decline, and is then not told again', async () => {
    const server = await startKeyserver()
    const bob = await published(server, 'bob')
    const alice = await host(server)
    await alice.invite('bob')
    const invitation = await invitationOf(bob)
    await invitation?.decline()
    expect(await invitation?.take()).toBeUndefined()
    bob.directory.close()
    const again = await openDevice(server, 'bob', { store: bob.store })
    await expect.poll(() => again.published, patience).toHaveLength(1)
    expect(again.invitations).toEqual([])
  })

  it('is told once, and one Welcome lets in one tab alone', async () => {
    const server = await startKeyserver()
    const bob = await published(server, 'bob')
    const alice = await host(server)
    await alice.invite('bob')
    const second = await openDevice(server, 'bob', { store: bob.store })
    const invitations = [await invitationOf(bob), await invitationOf(second)]
    const taken = await Promise.all(invitations.map((each) => each?.take()))
    expect(taken.filter((each) => each !== undefined)).toHaveLength(1)
  })

  it('is invited with every device that is not there yet', async () => {
    const server = await startKeyserver()
    const [laptop, phone] = [await published(server, 'bob'), await published(server, 'bob')]
    const alice = await host(server)
    const bob = await server.join('bob', { store: laptop.store })
    await agreed([alice, bob], ['alice', 'bob'])
    const invited = await alice.invite('bob')
    expect(invited).toHaveLength(1)
    expect(toHex(invited[0]?.deviceKey ?? new Uint8Array())).not.toBe(toHex(bob.self.deviceKey))
    const { meeting } = await accept(server, phone)
    await agreed([alice, bob, meeting], ['alice', 'bob', 'bob'])
    expect(await alice.invite('bob')).toEqual([])
  })

  it('is in two meetings with one last resort, which is then replaced', async () => {
    const server = await startKeyserver()
    const bob = await published(server, 'bob')
    const ask = await connectAs(server, 'carol')
    const drain = await connectAs(server, 'dan')
    for (let i = 0; i < 10; i++) await ask('claim', { identity: 'bob' })
    bob.directory.close()
    for (let i = 0; i < 10; i++) await drain('claim', { identity: 'bob' })
    const meetings: SecureMeeting[] = []
    for (const name of ['standup', 'retro']) {
      const token = await server.tokenFor('alice', name, { join: true, invite: true })
      const alice = await server.join('alice', { token, meetingId: name })
      expect(await alice.invite('bob')).toHaveLength(1)
      meetings.push(alice)
    }
    const again = await openDevice(server, 'bob', { store: bob.store })
    await expect.poll(() => again.invitations.map((i) => i.meetingId), patience).toHaveLength(2)
    for (const invitation of again.invitations) {
      const { meetingId: name } = invitation
      const token = await server.tokenFor('bob', name)
      const there = await server.join('bob', { token, meetingId: name, invitation })
      const alice = meetings[again.invitations.indexOf(invitation)]
      if (alice !== undefined) await agreed([alice, there], ['alice', 'bob'])
    }
    await expect
      .poll(() => again.published, patience)
      .toEqual([{ remaining: 20, lastResort: true }])
    expect(again.problems).toEqual([])
  })
})

/** The keyserver's answers as they are, but for what it says is in the mailbox. */
async function lyingAboutMail(
  server: TestServer,
  identity: string,
  lie: (mail: readonly Mail[]) => readonly Mail[],
): Promise<() => DeliveryTransport> {
  const token = await server.tokenFor(identity, '*')
  return () => {
    const honest = socketTransport(connectServer(server.url), token)
    return {
      ...honest,
      request: async (name, request) => {
        const reply = await honest.request(name, request)
        if (name !== 'mailbox' || !reply.ok) return reply
        const { mail } = reply as unknown as { readonly mail: readonly Mail[] }
        return { ...reply, mail: lie(mail) }
      },
    }
  }
}

describe('a mailbox full of rubbish', () => {
  it('lets its owner in by the other ways', async () => {
    const server = await startKeyserver()
    const transport = await lyingAboutMail(server, 'bob', (mail) =>
      mail.map((one) => ({ ...one, welcome: utf8('rubbish') })),
    )
    const bob = await openDevice(server, 'bob', { transport })
    await expect.poll(() => bob.published, patience).toHaveLength(1)
    const alice = await host(server, 'alice')
    await alice.invite('bob')
    const { meeting, stages } = await accept(server, bob)
    expect(stages).toContain('waiting')
    await expect.poll(() => agree([alice, meeting], ['alice', 'bob', 'bob']), patience).toBe(true)
  })

  it('is put away where no key is there for it, without a word to the application', async () => {
    const server = await startKeyserver()
    const made = { meetingId, groupId: utf8('g'), welcome: utf8('w'), seq: 1 }
    const transport = await lyingAboutMail(server, 'bob', (mail) => [
      ...mail,
      ...Array.from({ length: 300 }, (_, i) => ({ ...made, ref: utf8(`ref ${i}`) })),
    ])
    const bob = await openDevice(server, 'bob', { transport })
    await expect.poll(() => bob.published.length + bob.problems.length, patience).toBe(1)
    expect(bob.invitations).toEqual([])
    expect(bob.ended).toEqual([])
  })
})

describe('an invitation', () => {
  it.each([
    ['to somebody who has published nothing', 'carol', 'invitee-unknown'],
    ['to a name that is none', '', 'argument-invalid'],
  ])('%s is refused', async (_, identity, code) => {
    const server = await startKeyserver()
    const alice = await host(server)
    await expect(alice.invite(identity)).rejects.toMatchObject({ code })
  })

  it('takes a token that grants it', async () => {
    const server = await startKeyserver()
    const alice = await server.join('alice')
    const refused = { code: 'keyserver-refused', detail: 'token-grant-missing' }
    await expect(alice.invite('bob')).rejects.toMatchObject(refused)
  })

  it('is of no use for another meeting or identity', async () => {
    const server = await startKeyserver()
    const bob = await published(server, 'bob')
    await (await host(server)).invite('bob')
    const invitation = await invitationOf(bob)
    if (invitation === undefined) throw new Error('nobody was invited')
    const elsewhere = { invitation, meetingId: 'retro' }
    await expect(server.join('bob', elsewhere)).rejects.toMatchObject({ code: 'argument-invalid' })
    await expect(server.join('carol', { invitation })).rejects.toMatchObject({
      code: 'argument-invalid',
    })
    const store = memorySessionStore()
    await expect(server.join('bob', { invitation, store })).resolves.toBeDefined()
  })

  it('ends with the meeting that it was made in', async () => {
    const server = await startKeyserver()
    const alice = await host(server)
    await alice.leave()
    await expect(alice.invite('bob')).rejects.toMatchObject({ code: 'session-ended' })
  })
})
