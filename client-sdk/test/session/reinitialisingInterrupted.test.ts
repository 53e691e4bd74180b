import { describe, expect, it } from 'vitest'
import { Device, type Process } from './support/device.ts'
import { type Client, Room } from './support/room.ts'

const names = ['alice', 'bob', 'carol']

/** All three are there, and bob’s process is on a device of its own. */
async function settled() {
  const room = Room.open('the real one')
  const device = new Device()
  const process = device.start()
  const alice = await room.join('alice')
  const { store } = process
  const bob = await room.join('bob', (port) => process.useOf(port), { store })
  const carol = await room.join('carol')
  await room.agreed([alice, bob, carol], names)
  return { room, device, process, alice, bob, carol }
}

type Settled = Awaited<ReturnType<typeof settled>>

/** What happens at each thing that bob’s process does from now on; `done` counts them. */
function atStep(process: Process, step: number, act: () => void): void {
  const { done } = process
  const end = done.length + step
  const push = done.push.bind(done)
  done.push = (...what) => {
    const length = push(...what)
    if (length === end) act()
    return length
  }
}

const othersWaitMs = 1_500

/** Bob commits and founds where he can: the others take their time. */
async function reinitialised({ room, alice, bob, carol }: Settled, wishing: Client) {
  for (const { port } of [alice, carol]) {
    port.tamper.offers = async (_, honest) => {
      await new Promise<void>((resolve) => room.clock.setTimer(othersWaitMs, resolve))
      return await honest()
    }
  }
  let outcome = ''
  wishing.meeting.reinitialise({ cipherSuite: 3 }).then(
    () => {
      outcome = 'done'
    },
    (error: { code: string }) => {
      outcome = error.code
    },
  )
  await room.until(() => outcome !== '' || bob.port.connected === false)
  return () => outcome
}

/** Things that bob’s process does, beginnings and ends, until the meeting has gone on. */
const most = 36
const steps = Array.from({ length: most }, (_, i) => i + 1)

describe('a process that dies while its meeting goes on in another group', () => {
  it.each(steps)('at step %i has a place in it when it is started again', async (step) => {
    const all = await settled()
    const { room, device, process, alice, carol } = all
    atStep(process, step, () => process.die())
    const outcome = await reinitialised(all, alice)
    process.die()
    const again = device.start()
    const { store } = again
    const bob = await room.join('bob', (port) => again.useOf(port), { store })
    await room.until(() => outcome() !== '')
    expect(outcome()).toBe('done')
    await room.agreed([alice, bob, carol], names)
    for (const { witness } of [alice, carol]) {
      expect(witness.left).toEqual([])
      expect(witness.reinitialised).toEqual(['3 alice'])
    }
    const eve = await room.join('eve')
    await room.agreed([alice, bob, carol, eve], [...names, 'eve'])
    await room.pass(othersWaitMs)
  })
})

describe('a connection that is lost while its meeting goes on in another group', () => {
  it.each(steps)('at step %i costs nobody a place in it', async (step) => {
    const all = await settled()
    const { room, process, alice, bob, carol } = all
    atStep(process, step, () => {
      bob.port.drop()
      room.clock.setTimer(100, () => bob.port.connect())
    })
    const outcome = await reinitialised(all, bob)
    await room.until(() => outcome() !== '')
    expect(outcome()).toBe('done')
    await room.agreed([alice, bob, carol], names)
    for (const { witness } of [alice, bob, carol]) {
      expect(witness.left).toEqual([])
      expect(witness.ended).toEqual([])
      expect(witness.lost).toEqual([])
      expect(witness.reinitialised).toEqual(['3 bob'])
    }
    await room.pass(othersWaitMs)
  })
})
