import type { RequestName } from '@conclave/core/delivery'
import { describe, expect, it } from 'vitest'
import type { Port } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

const names: readonly RequestName[] = [
  'enter',
  'create',
  'wait',
  'tree',
  'resume',
  'attach',
  'propose',
  'commit',
]

/** Runs `interrupt` at the nth request of a client, before or after it has had its effect. */
function interruptAt(
  port: Port,
  at: number,
  when: 'before' | 'after',
  interrupt: () => void,
): void {
  let count = 0
  for (const name of names) {
    const tampered = async (_: unknown, honest: () => Promise<unknown>) => {
      count += 1
      if (count !== at) return await honest()
      const late = when === 'after' ? await honest() : undefined
      interrupt()
      return late ?? (await new Promise(() => {}))
    }
    Object.assign(port.tamper, { [name]: tampered })
  }
}

const requests = Array.from({ length: 12 }, (_, i) => i + 1)
const moments = requests.flatMap((at) => [
  { at, when: 'before' as const },
  { at, when: 'after' as const },
])

describe('a connection that is lost in the middle of anything', () => {
  it.each(moments)('a joiner that loses it $when request $at gets in and stays', async (moment) => {
    const { at, when } = moment
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const joining = room.begin('bob', (port) => {
      interruptAt(port, at, when, () => {
        port.drop()
        room.clock.setTimer(100, () => port.connect())
      })
    })
    await room.until(() => joining.client !== undefined)
    const bob = joining.client as Client
    const carol = await room.join('carol')
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    const dan = await room.join('dan')
    await room.agreed([alice, bob, carol, dan], ['alice', 'bob', 'carol', 'dan'])
    expect([alice, bob, carol, dan].map(({ witness }) => witness.ended)).toEqual([[], [], [], []])
  })

  it.each(moments)('a founder that loses it $when request $at goes on', async ({ at, when }) => {
    const room = Room.open()
    const joining = room.begin('alice', (port) => {
      interruptAt(port, at, when, () => {
        port.drop()
        room.clock.setTimer(100, () => port.connect())
      })
    })
    // A group whose founder never heard of it ends when nobody comes.
    const cancel = room.clock.setTimer(5_000, () => room.delivery.end())
    await room.until(() => joining.client !== undefined)
    cancel()
    const alice = joining.client as Client
    const bob = await room.join('bob')
    const carol = await room.join('carol')
    await room.agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
  })

  it.each(moments)('one who leaves $when request $at is gone for good', async (moment) => {
    const { at, when } = moment
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    let bob: Client | undefined
    const joining = room.begin('bob', (port) => {
      interruptAt(port, at, when, () => void bob?.meeting.leave())
    })
    await room.until(() => joining.client !== undefined || joining.failure !== undefined)
    bob = joining.client
    const carol = room.begin('carol')
    await room.until(() => carol.client !== undefined)
    void bob?.meeting.leave()
    await room.until(() => bob === undefined || bob.witness.ended.length === 1)
    expect(joining.census.left).toBe(0)
    expect(alice.witness.ended).toEqual([])
  })
})
