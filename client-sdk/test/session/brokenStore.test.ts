import { describe, expect, it } from 'vitest'
import { memorySessionStore, type SessionStore } from '../../src/index.ts'
import { type Client, Room } from './support/room.ts'
import { unhandledRejections } from './support/uncaught.ts'

type Call = 'keys' | 'write' | 'release'

/** A store of an application's that, once broken, throws what no store of ours would. */
class BrokenStore {
  readonly store: SessionStore
  readonly thrown = new TypeError('undefined is not a function')
  /** Which calls fail, of those for keys that begin so, and when, where not at once. */
  breaks:
    | { readonly call: Call; readonly prefix: RegExp; readonly when?: Promise<void> }
    | undefined

  constructor() {
    const sound = memorySessionStore()
    this.store = {
      ...sound,
      keys: async (prefix) => {
        if (this.breaks?.prefix.test(prefix)) await this.breaks.when
        this.#check('keys', prefix)
        return await sound.keys(prefix)
      },
      write: async (changes) => {
        for (const key of changes.keys()) this.#check('write', key)
        await sound.write(changes)
      },
      hold: async (name) => {
        const release = await sound.hold(name)
        return (
          release &&
          (() => {
            release()
            this.#check('release', name)
          })
        )
      },
    }
  }

  #check(call: Call, key: string): void {
    if (this.breaks?.call === call && this.breaks.prefix.test(key)) throw this.thrown
  }
}

describe('a store that throws what no store should', () => {
  it('while leftovers of crashed sessions are swept costs the meeting nothing', async () => {
    const unhandled = unhandledRejections()
    const room = Room.open()
    const device = new BrokenStore()
    // What is told before we are in, nobody hears.
    const entered = Promise.withResolvers<void>()
    device.breaks = { call: 'keys', prefix: /^meeting[/]$/, when: entered.promise }
    const alice = await room.join('alice', undefined, { store: device.store })
    entered.resolve()
    const bob = await room.join('bob')
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(alice.witness.problems).toEqual([
      expect.objectContaining({ code: 'store-unavailable', cause: device.thrown }),
    ])
    expect(unhandled).toEqual([])
  })

  it.each<[Call, RegExp]>([
    ['keys', /^meeting[/].+/],
    ['write', /^meeting[/].+/],
    ['release', /^slot[/].+/],
  ])('while a slot is wiped keeps nobody from leaving: %s', async (call, prefix) => {
    const unhandled = unhandledRejections()
    const room = Room.open()
    const device = new BrokenStore()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const bob = await room.join('bob', undefined, { store: device.store })
    await room.agreed([alice, bob], ['alice', 'bob'])
    device.breaks = { call, prefix }
    let left = false
    void bob.meeting.leave().then(() => {
      left = true
    })
    await room.until(() => left)
    await room.agreed([alice], ['alice'])
    expect(bob.witness.ended).toEqual([{ reason: 'left', error: undefined }])
    expect(unhandled).toEqual([])
  })
})
