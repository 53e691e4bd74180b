import { utf8 } from '@conclave/core/codec'
import { expect, it } from 'vitest'
import { joinerOf } from './support/people.ts'
import { refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

const identity = 'joiner 0'
/** Requests of whoever comes in. */
const ways = ['wait', 'groupInfo'] as const

/** An invitation; what it comes to. */
async function inviting(room: Room, { meeting, port }: Client) {
  const [joiner] = await joinerOf(room.clock, 1)
  const keyPackages = [joiner?.keyPackage ?? utf8('')]
  port.tamper.claim = async () => ({ ok: true, keyPackages })
  const state = { outcome: '' }
  meeting.invite(identity).then(
    (devices) => {
      state.outcome = `${devices.length} added`
    },
    (error: { readonly code: string }) => {
      state.outcome = error.code
    },
  )
  return state
}

/** Alice is removed for her absence, and cannot come in again until she is let. */
async function losing(room: Room, [alice, bob]: [Client, Client]): Promise<() => void> {
  room.delivery.describes = true
  const { leaf } = alice.meeting.self
  alice.port.drop()
  await room.rest()
  await room.delivery.remove(leaf, { reason: 'absent' })
  await room.agreed([bob], ['bob'])
  for (const name of ways) alice.port.tamper[name] = async () => refuse('unavailable')
  alice.port.connect()
  await room.until(() => alice.witness.lost.length === 1)
  return () => {
    for (const name of ways) delete alice.port.tamper[name]
  }
}

it('who invites somebody while the place is lost does so in the next', async () => {
  const room = Room.open()
  const pair = (await room.meetingOf('alice', 'bob')) as [Client, Client]
  const letIn = await losing(room, pair)
  const invitation = await inviting(room, pair[0])
  await room.pass(3_000)
  expect(invitation.outcome).toBe('')
  letIn()
  await room.until(() => invitation.outcome !== '')
  expect(invitation.outcome).toBe('1 added')
  await room.agreed(pair, ['alice', 'bob', identity])
})

it('an invitation survives the loss of the place that it was begun in', async () => {
  const room = Room.open()
  const pair = (await room.meetingOf('alice', 'bob')) as [Client, Client]
  const [alice] = pair
  alice.port.tamper.commit = () => new Promise<never>(() => {})
  const invitation = await inviting(room, alice)
  await room.until(() => alice.port.count('commit') > 0)
  const letIn = await losing(room, pair)
  delete alice.port.tamper.commit
  letIn()
  await room.until(() => invitation.outcome !== '')
  expect(invitation.outcome).toBe('1 added')
  await room.agreed(pair, ['alice', 'bob', identity])
})

it('is over with the session, also while the place is lost', async () => {
  const room = Room.open()
  const pair = (await room.meetingOf('alice', 'bob')) as [Client, Client]
  await losing(room, pair)
  const invitation = await inviting(room, pair[0])
  await room.rest()
  const left = pair[0].meeting.leave()
  await room.until(() => invitation.outcome !== '')
  await left
  expect(invitation.outcome).toBe('session-ended')
})
