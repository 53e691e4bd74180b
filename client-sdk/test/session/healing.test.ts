import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { Healing } from '../../src/session/healing.ts'
import { refuse } from './support/port.ts'
import { Room } from './support/room.ts'

const minute = 60_000

/** A device's clock, which goes on while its timers stand still. */
class SleepingClock extends VirtualClock {
  #slept = 0

  override now(): number {
    return super.now() + this.#slept
  }

  sleep(ms: number): void {
    this.#slept += ms
  }
}

function healing(lot = 0) {
  const clock = new SleepingClock()
  const due: number[] = []
  const start = clock.now()
  const healing = new Healing(
    clock,
    () => Uint8Array.of(lot),
    () => due.push(clock.now() - start),
  )
  healing.renewed()
  return { clock, healing, due }
}

describe('the keys of our own leaf', () => {
  it.each([
    [0, 8 * minute],
    [255, 8 * minute * (1 + 255 / 1024)],
  ])('are to be renewed when they are eight to ten minutes old (lot %i)', (lot, at) => {
    const { clock, due, healing: ours } = healing(lot)
    clock.advance(at - 1)
    expect(due).toEqual([])
    clock.advance(1)
    expect(due).toEqual([at])
    expect(at).toBeLessThanOrEqual(10 * minute)
    ours.stop()
    expect(clock.pendingTimers).toBe(0)
  })

  it('are asked for again every few seconds until they are renewed', () => {
    const { clock, due, healing: ours } = healing()
    clock.advance(8 * minute + 12_000)
    expect(due).toEqual([0, 5_000, 10_000].map((later) => 8 * minute + later))
    ours.renewed()
    clock.advance(8 * minute - 1)
    expect(due).toHaveLength(3)
  })

  it('are renewed after the device has slept, and not because it was slow', () => {
    const { clock, due } = healing()
    clock.advance(minute)
    clock.sleep(20_000)
    clock.advance(minute)
    expect(due).toEqual([])
    clock.sleep(5 * minute)
    clock.advance(30_000)
    expect(due).toHaveLength(1)
  })

  it('are renewed at once where they were made long ago', () => {
    const { clock, due, healing: ours } = healing()
    ours.renewed(clock.now() - 8 * minute)
    clock.advance(0)
    expect(due).toEqual([0])
  })

  it('are renewed at once where they are to be, until they are', () => {
    const { clock, due, healing: ours } = healing()
    clock.advance(minute)
    ours.hasten()
    expect(due).toEqual([])
    clock.advance(5_000)
    expect(due).toEqual([minute, minute + 5_000])
    ours.renewed()
    clock.advance(8 * minute - 1)
    expect(due).toHaveLength(2)
  })

  it('are renewed when the clock was set back', () => {
    const { clock, due } = healing()
    clock.advance(minute)
    clock.sleep(-60 * minute)
    clock.advance(30_000)
    expect(due).toHaveLength(1)
  })
})

describe('a meeting in which nobody comes or goes', () => {
  it('renews the keys of each member every ten minutes', async () => {
    const room = Room.open()
    const clients = await room.meetingOf('alice', 'bob', 'carol')
    const before = clients.map(({ port }) => port.count('commit'))
    const { epoch } = clients[0]?.meeting.view ?? { epoch: 0n }
    await room.pass(10 * minute)
    await room.agreed(clients, ['alice', 'bob', 'carol'])
    const made = clients.map(({ port }, i) => port.count('commit') - (before[i] ?? 0))
    for (const commits of made) expect(commits).toBeGreaterThanOrEqual(1)
    // Those that lost against another's are made again.
    expect(Number((clients[0]?.meeting.view.epoch ?? 0n) - epoch)).toBeGreaterThanOrEqual(3)
    expect(clients.flatMap(({ witness }) => witness.problems)).toEqual([])
  })

  it('goes on trying where the keyserver refuses', async () => {
    const room = Room.open()
    const [alice] = await room.meetingOf('alice')
    if (alice === undefined) throw new Error('nobody')
    alice.port.tamper.commit = () => Promise.resolve(refuse('rate-limited'))
    await room.pass(11 * minute)
    expect(alice.port.count('commit')).toBeGreaterThan(1)
    delete alice.port.tamper.commit
    const { epoch } = alice.meeting.view
    await room.pass(minute)
    expect(alice.meeting.view.epoch).toBe(epoch + 1n)
  })
})
