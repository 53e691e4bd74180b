import { defaultLimits, type KeyserverLimits } from '@conclave/keyserver'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { Admissions, type Release } from '../../src/connection/admissions.ts'
import { callAt } from '../../src/connection/callAt.ts'

const admissionsWith = (limits: Partial<KeyserverLimits>, clock = new VirtualClock()) =>
  new Admissions({ limits: { ...defaultLimits, ...limits }, trustedProxies: 0, clock })

describe('what is there at once', () => {
  test('is never more of one name than its limit, and what is given back can be taken', () => {
    const steps = fc.array(fc.record({ name: fc.constantFrom('a', 'b'), take: fc.boolean() }))
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 3 }), (all, limit) => {
        const admissions = admissionsWith({ connectionsPerIdentity: limit })
        const held = new Map<string, Release[]>([
          ['a', []],
          ['b', []],
        ])
        for (const { name, take } of all) {
          const mine = held.get(name) ?? []
          if (!take) {
            mine.pop()?.()
            continue
          }
          const release = admissions.connect(name)
          expect(release !== undefined).toBe(mine.length < limit)
          if (release !== undefined) mine.push(release)
        }
      }),
    )
  })

  test('counts for addresses, identities and meetings apart', () => {
    const admissions = admissionsWith({
      connectionsPerAddress: 1,
      connectionsPerIdentity: 1,
      connectionsPerMeeting: 1,
    })
    for (const take of [
      () => admissions.open('192.0.2.1', undefined),
      () => admissions.connect('192.0.2.1'),
      () => admissions.enter('192.0.2.1'),
    ]) {
      const release = take()
      expect(release).toBeDefined()
      expect(take()).toBeUndefined()
      release?.()
      expect(take()).toBeDefined()
    }
  })
})

describe('what is done over time', () => {
  test('is limited for each address, and comes back with time', () => {
    const clock = new VirtualClock()
    const admissions = admissionsWith({ connectionAttemptsPerMinute: 60 }, clock)
    const attempts = (address: string) =>
      Array.from({ length: 100 }, () => admissions.attempt(address, undefined)).filter(Boolean)
    expect(attempts('192.0.2.1')).toHaveLength(60)
    expect(attempts('192.0.2.2')).toHaveLength(60)
    clock.advance(10_000)
    expect(attempts('192.0.2.1')).toHaveLength(10)
  })

  test('is remembered for a bounded number of names, of which the newest are kept', () => {
    const admissions = admissionsWith({ identityRequestsPerSecond: 1, identityRequestBurst: 1 })
    expect(admissions.requestsOf('first').take()).toBe(true)
    expect(admissions.requestsOf('second').take()).toBe(true)
    for (let stranger = 0; stranger < (1 << 16) - 2; stranger++)
      admissions.requestsOf(`${stranger}`).take()
    expect(admissions.requestsOf('first').take()).toBe(false)
    admissions.requestsOf('one too many').take()
    expect(admissions.requestsOf('first').take()).toBe(false)
    expect(admissions.requestsOf('second').take()).toBe(true)
  })
})

describe('a call at a time far off', () => {
  const year = 365 * 24 * 3_600_000

  test('comes at that time, by timers that the platform can hold', () => {
    const clock = new VirtualClock()
    const delays: number[] = []
    const calls: number[] = []
    const start = clock.now()
    const recording = {
      now: () => clock.now(),
      setTimer: (delayMs: number, callback: () => void) => {
        delays.push(delayMs)
        return clock.setTimer(delayMs, callback)
      },
    }
    callAt(recording, start + year, () => calls.push(clock.now()))
    clock.advance(2 * year)
    expect(calls).toEqual([start + year])
    expect(Math.max(...delays)).toBeLessThan(2 ** 31)
  })

  test('comes at once where the time is past, and not at all once cancelled', () => {
    const clock = new VirtualClock()
    const calls: string[] = []
    callAt(clock, clock.now() - 1, () => calls.push('past'))
    const cancel = callAt(clock, clock.now() + year, () => calls.push('cancelled'))
    clock.advance(year / 2)
    cancel()
    clock.advance(year)
    expect(calls).toEqual(['past'])
    expect(clock.pendingTimers).toBe(0)
  })
})
