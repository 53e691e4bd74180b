import { encode } from '@conclave/core/codec'
import type { RefusalCode, RequestName } from '@conclave/core/delivery'
import { RatchetTree } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { type AnyNotice, type Port, refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

const never = () => new Promise<never>(() => {})
const refusing = (name: RequestName, code: RefusalCode) => (port: Port) => {
  port.tamper[name] = () => Promise.resolve(refuse(code))
}

/** Refusals after which another attempt has no point. */
const final: readonly RefusalCode[] = [
  'request-malformed',
  'payload-too-large',
  'protocol-unsupported',
  'not-permitted',
  'already-entered',
  'message-invalid',
  'seq-out-of-range',
  'tree-unknown',
  'presence-invalid',
]
/** Refusals that pass by. */
const transient: readonly RefusalCode[] = [
  'rate-limited',
  'internal',
  'waiting-list-full',
  'not-entered',
]

describe('joining through a keyserver that refuses', () => {
  it.each(final)('a founder refused with %s at any step ends with that code', async (code) => {
    const room = Room.open()
    expect(await room.refusalOf('eve', refusing('enter', code))).toBe(`keyserver-refused ${code}`)
    expect(await room.refusalOf('eve', refusing('create', code))).toBe(`keyserver-refused ${code}`)
  })

  it.each(final)('a joiner refused with %s at any step ends with that code', async (code) => {
    const room = Room.open()
    const clients = await room.meetingOf('alice')
    const refusal = `keyserver-refused ${code}`
    expect(await room.refusalOf('eve', refusing('wait', code))).toBe(refusal)
    expect(await room.refusalOf('eve', refusing('tree', code))).toBe(refusal)
    await room.join('bob')
    expect(clients[0]?.witness.ended).toEqual([])
  })

  it.each(transient)('a joiner refused with %s for a while gets in afterwards', async (code) => {
    const room = Room.open()
    await room.meetingOf('alice')
    const steps = ['enter', 'wait', 'tree', 'resume', 'attach'] as const
    const bob = await room.join('bob', (port) => {
      for (const name of steps) {
        let refusals = 2
        const twice = async (_: unknown, honest: () => Promise<unknown>) => {
          if (refusals-- <= 0) return honest()
          if (code === 'not-entered') port.entered = false
          return refuse(code)
        }
        Object.assign(port.tamper, { [name]: twice })
      }
    })
    await room.until(() => bob.port.count('attach') === 3)
    await room.pass(2_000)
    expect(bob.witness.ended).toEqual([])
  })

  it('a joiner that is refused for now is told so before it is in, and then by the event', async () => {
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    let refusals = 2
    const before: string[] = []
    const bob = await room.join(
      'bob',
      (port) => {
        port.tamper.wait = async (_, honest) =>
          refusals-- > 0 ? refuse('waiting-list-full') : honest()
      },
      { onProblem: ({ code }) => before.push(code) },
    )
    expect(before).toEqual(['keyserver-refused', 'keyserver-refused'])
    expect(bob.witness.problems).toEqual([])
    await room.agreed([alice, bob], ['alice', 'bob'])
    bob.port.tamper.resume = () => {
      delete bob.port.tamper.resume
      return Promise.resolve(refuse('unavailable'))
    }
    bob.port.drop()
    bob.port.connect()
    await room.until(() => bob.witness.problems.length > 0)
    expect(before).toHaveLength(2)
  })

  it('a joiner that is refused for now until the time is up learns what kept it', async () => {
    const room = Room.open()
    await room.meetingOf('alice')
    let cause: unknown
    const joining = room.begin('bob', refusing('wait', 'waiting-list-full'), {
      joinTimeoutMs: 5_000,
    })
    joining.onFailure = (error) => {
      cause = error.cause
    }
    await room.until(() => joining.failure !== undefined)
    expect(joining.failure).toBe('join-timeout')
    expect(cause).toMatchObject({ code: 'keyserver-refused', detail: 'waiting-list-full' })
    expect(joining.port.count('wait')).toBe(5)
  })

  it('a group that exists but is not named ends the join', async () => {
    const room = Room.open()
    expect(await room.refusalOf('eve', refusing('create', 'meeting-exists'))).toBe(
      'keyserver-refused meeting-exists',
    )
  })
})

describe('joining through a keyserver that never answers', () => {
  it.each(['enter', 'create'] as const)('%s: a founder gives up', async (name) => {
    const room = Room.open()
    const failure = await room.refusalOf('eve', (port) => {
      port.tamper[name] = never
    })
    expect(failure).toBe('join-timeout')
  })

  it.each(['enter', 'wait', 'tree'] as const)('%s: a joiner gives up', async (name) => {
    const room = Room.open()
    await room.meetingOf('alice')
    const failure = await room.refusalOf('eve', (port) => {
      port.tamper[name] = never
    })
    expect(failure).toBe('join-timeout')
  })

  it('a founder whose group is accepted after it has given up wipes the group', async () => {
    const room = Room.open()
    const answer = Promise.withResolvers<void>()
    const joining = room.begin('eve', (port) => {
      port.tamper.create = async (_, honest) => {
        await answer.promise
        return honest()
      }
    })
    await room.until(() => joining.failure !== undefined)
    answer.resolve()
    await room.rest()
    expect(joining.census.taken).toBeGreaterThan(0)
    expect(joining.census.left).toBe(0)
  })

  it('a joiner that is let in after it has given up wipes what it was given', async () => {
    const room = Room.open()
    await room.meetingOf('alice')
    const answer = Promise.withResolvers<void>()
    const joining = room.begin('eve', (port) => {
      port.tamper.tree = async (_, honest) => {
        await answer.promise
        return honest()
      }
    })
    await room.until(() => joining.failure !== undefined)
    answer.resolve()
    await room.rest()
    expect(joining.census.left).toBe(0)
  })
})

describe('joining through a keyserver whose answers are wrong', () => {
  it('a Welcome that is no Welcome ends the join', async () => {
    const room = Room.open()
    await room.meetingOf('alice')
    const failure = await room.refusalOf('eve', (port) => {
      port.notices = welcomes((notice) => ({ ...notice, welcome: Uint8Array.of(0, 1, 0, 3, 9) }))
    })
    expect(failure).toBe('keyserver-protocol-violated')
  })

  it('a Welcome said to be for another group ends the join', async () => {
    const room = Room.open()
    await room.meetingOf('alice')
    const failure = await room.refusalOf('eve', (port) => {
      port.notices = welcomes((notice) => ({ ...notice, groupId: new Uint8Array(16) }))
    })
    expect(failure).toBe('keyserver-protocol-violated')
  })

  it('a Welcome to the group of another meeting ends the join', async () => {
    const room = Room.open()
    const other = Room.open()
    await room.meetingOf('alice')
    const failure = await room.refusalOf('eve', () => {}, { meetingId: 'another' })
    expect(failure).toBe('keyserver-refused not-permitted')
    await other.meetingOf('mallory')
    const trusting = await room.refusalOf('eve', () => {}, {
      trust: { policy: 'open', admissionKeys: [Uint8Array.of(1)] },
    })
    expect(trusting).toBe('meeting-terms-differ')
  })

  it('a Welcome with a flipped bit ends the join', async () => {
    const room = Room.open()
    await room.meetingOf('alice')
    const failure = await room.refusalOf('eve', (port) => {
      port.notices = welcomes((notice) => ({ ...notice, welcome: flipped(notice.welcome) }))
    })
    expect(failure).toBe('welcome-undecryptable')
  })

  it('Welcomes for somebody else are ignored', async () => {
    const room = Room.open()
    const [alice] = await room.meetingOf('alice')
    const bob = await room.join('bob', (port) => {
      port.notices = (notice) =>
        notice.name === 'welcome'
          ? [{ name: 'welcome', notice: { ...notice.notice, ref: new Uint8Array(32) } }, notice]
          : [notice]
    })
    await room.agreed([alice as never, bob], ['alice', 'bob'])
  })

  it('the tree of another epoch ends the join', async () => {
    const room = Room.open()
    await room.meetingOf('alice')
    const { group } = room.delivery
    const stale = encode(RatchetTree, group?.public.tree.toRatchetTree() ?? [])
    const failure = await room.refusalOf('eve', (port) => {
      port.tamper.tree = () => Promise.resolve({ ok: true, ratchetTree: stale })
    })
    expect(failure).toBe('tree-hash-mismatch')
  })

  it('a tree that is none ends the join', async () => {
    const room = Room.open()
    await room.meetingOf('alice')
    const failure = await room.refusalOf('eve', (port) => {
      port.tamper.tree = () => Promise.resolve({ ok: true, ratchetTree: Uint8Array.of(1, 2) })
    })
    expect(failure).toBe('keyserver-protocol-violated')
  })

  it('an external sender that is none ends a founder', async () => {
    const room = Room.open()
    const failure = await room.refusalOf('eve', (port) => {
      port.tamper.enter = async (_, honest) => ({
        ...(await honest()),
        externalSender: Uint8Array.of(1),
      })
    })
    expect(failure).toBe('keyserver-protocol-violated')
  })

  it('a transport that throws or rejects with anything ends the join', async () => {
    const room = Room.open()
    const thrown = await room.refusalOf('eve', (port) => {
      port.request = () => {
        throw new TypeError('not even a promise')
      }
    })
    expect(thrown).toBe('session-ended')
    const rejected = await room.refusalOf('eve', (port) => {
      port.tamper.enter = () => Promise.reject(new TypeError('surprise'))
    })
    expect(rejected).toBe('session-ended')
  })

  it('a meeting whose group ends again and again only delays until the time is up', async () => {
    const room = Room.open()
    await room.meetingOf('alice')
    const { group } = room.delivery
    const groupId = group?.groupId ?? new Uint8Array()
    const joining = room.begin('eve', (port) => {
      port.tamper.wait = async () => {
        port.entered = false
        port.inject({ name: 'closed', notice: { groupId, reason: 'empty' } })
        return { ok: true, position: 0 }
      }
      const pause = () => new Promise((resolve) => room.clock.setTimer(500, () => resolve(0)))
      port.tamper.enter = async (_, honest) => {
        await pause()
        return honest()
      }
    })
    await room.until(() => joining.failure !== undefined)
    expect(joining.failure).toBe('join-timeout')
  })

  it('one that rejects the connection ends the join with its code', async () => {
    const room = Room.open()
    const joining = room.begin('eve', (port) => {
      port.connect = () => port.reject('token-expired')
    })
    await room.until(() => joining.failure !== undefined)
    expect(joining.failure).toBe('keyserver-refused token-expired')
  })
})

type WelcomeNotice = Extract<AnyNotice, { name: 'welcome' }>['notice']

function welcomes(change: (notice: WelcomeNotice) => WelcomeNotice): Port['notices'] {
  return (notice) =>
    notice.name === 'welcome' ? [{ name: 'welcome', notice: change(notice.notice) }] : [notice]
}

function flipped(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const changed = bytes.slice()
  const last = changed.length - 1
  changed[last] = (changed[last] ?? 0) ^ 1
  return changed
}
