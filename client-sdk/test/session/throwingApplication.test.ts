import { describe, expect, it } from 'vitest'
import { type Port, refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'
import { catchUncaught, unhandledRejections } from './support/uncaught.ts'

const bug = new TypeError('undefined is not a function')

function fail(): never {
  throw bug
}

describe('an application that throws', () => {
  it('when it is told how joining gets on joins all the same, and the error is uncaught', async () => {
    const seen = catchUncaught()
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const bob = await room.join('bob', undefined, { onProgress: fail })
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(seen).toEqual([bug, bug])
  })

  it('when it is told of a problem in joining joins all the same, and the error is uncaught', async () => {
    const seen = catchUncaught()
    const room = Room.open()
    const [alice] = (await room.meetingOf('alice')) as [Client]
    const refuseOnce = (port: Port) => {
      port.tamper.wait = () => {
        delete port.tamper.wait
        return Promise.resolve(refuse('waiting-list-full'))
      }
    }
    const bob = await room.join('bob', refuseOnce, { onProblem: fail })
    await room.agreed([alice, bob], ['alice', 'bob'])
    expect(seen).toEqual([bug])
  })

  it('when its transport is to start learns why it cannot join', async () => {
    const unhandled = unhandledRejections()
    const room = Room.open()
    const joining = room.begin('alice', (port) => {
      port.start = fail
    })
    joining.onFailure = (error) => expect(error.cause).toBe(bug)
    await room.until(() => joining.failure !== undefined)
    expect(joining.failure).toBe('session-ended')
    expect(unhandled).toEqual([])
  })
})
