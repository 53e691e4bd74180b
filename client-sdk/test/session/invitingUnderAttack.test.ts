import { type Bytes, utf8 } from '@conclave/core/codec'
import { describe, expect, it } from 'vitest'
import { joinerOf } from './support/people.ts'
import { refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

const identity = 'joiner 0'

/** What an invitation comes to where the keyserver hands out these KeyPackages. */
async function inviting(
  room: Room,
  { meeting, port }: Client,
  keyPackages: readonly Bytes[],
  whom = identity,
): Promise<string> {
  port.tamper.claim = async () => ({ ok: true, keyPackages })
  let outcome: string | undefined
  meeting.invite(whom).then(
    (devices) => {
      outcome = `${devices.length} added`
    },
    (error: { readonly code: string }) => {
      outcome = error.code
    },
  )
  await room.until(() => outcome !== undefined)
  return outcome ?? ''
}

async function keyPackagesOf(
  room: Room,
  count = 1,
  flaw?: Parameters<typeof joinerOf>[2],
): Promise<Bytes[]> {
  return (await joinerOf(room.clock, count, flaw)).map(({ keyPackage }) => keyPackage)
}

describe('inviting with what a keyserver makes up', () => {
  it('adds whose KeyPackage is good', async () => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    expect(await inviting(room, alice, await keyPackagesOf(room))).toBe('1 added')
    await room.agreed([alice, bob], ['alice', 'bob', identity])
  })

  it.each<[string, Parameters<typeof joinerOf>[2]]>([
    ['has expired', { lifetimeSeconds: 120 }],
    ['is not valid yet', { startsInSeconds: 3600 }],
    ['is for another meeting', { meetingId: 'retro' }],
  ])('adds nobody whose KeyPackage %s, and the meeting goes on', async (_, flaw) => {
    const room = Room.open()
    const [alice, bob] = (await room.meetingOf('alice', 'bob')) as [Client, Client]
    const unfit = await keyPackagesOf(room, 1, flaw)
    expect(await inviting(room, alice, unfit)).toBe('invitee-unknown')
    const carol = await room.join('carol')
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
  })

  it('adds nobody else than whom it was asked for, and says so', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    expect(await inviting(room, alice, await keyPackagesOf(room), 'bob')).toBe('invitee-unknown')
    expect(alice.witness.problems).toMatchObject([
      { code: 'keyserver-protocol-violated', detail: 'identity-mismatch' },
    ])
  })

  it('adds the good ones from among rubbish', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const [good = utf8('')] = await keyPackagesOf(room)
    const mixed = [utf8('rubbish'), good, utf8(''), good]
    expect(await inviting(room, alice, mixed)).toBe('1 added')
    expect(alice.witness.problems.map(({ code }) => code)).toEqual([
      'keyserver-protocol-violated',
      'keyserver-protocol-violated',
    ])
    await room.agreed([alice], ['alice', identity])
  })

  it('adds nobody twice with one KeyPackage', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const same = await keyPackagesOf(room)
    expect(await inviting(room, alice, same)).toBe('1 added')
    // Its device is there, so that nothing has to be done.
    expect(await inviting(room, alice, same)).toBe('0 added')
    await room.agreed([alice], ['alice', identity])
  })

  it('gives up a KeyPackage that the keyserver says was used, and adds whoever waits', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const { port } = alice
    let refusals = 0
    port.tamper.commit = async (_, honest) => {
      if (refusals++ > 0) return honest()
      return { ...refuse('message-invalid'), detail: 'key-package-used' }
    }
    expect(await inviting(room, alice, await keyPackagesOf(room))).toBe('invitee-unknown')
    const carol = await room.join('carol')
    await room.agreed([alice, carol], ['alice', 'carol'])
  })

  it('is over when the session is', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const { port, meeting } = alice
    const [keyPackage = utf8('')] = await keyPackagesOf(room)
    port.tamper.claim = async () => ({ ok: true, keyPackages: [keyPackage] })
    port.tamper.commit = () => new Promise<never>(() => {})
    let code: string | undefined
    meeting.invite(identity).catch((error: { readonly code: string }) => {
      code = error.code
    })
    await room.until(() => port.count('commit') > 0)
    const left = meeting.leave()
    await room.until(() => code !== undefined)
    await left
    expect(code).toBe('session-ended')
  })
})
