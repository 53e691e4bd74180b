import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { timerJobs } from '../../src/jobs/timerJobs.ts'
import { checkGroup, countOf, describeJobs, instance, webhook } from './jobsContract.ts'

function virtualHarness(clock = new VirtualClock()) {
  return {
    clock,
    open: timerJobs,
    async until<T>(
      what: string,
      look: () => T | undefined | false | Promise<T | undefined | false>,
    ) {
      for (let steps = 0; steps < 2_000; steps++) {
        const found = await look()
        if (found !== undefined && found !== false) return found
        await clock.advanceAsync(10)
      }
      throw new Error(`waited in vain for ${what}`)
    },
  }
}

describeJobs('jobs on timers', async () => virtualHarness())

describe('jobs on timers', () => {
  test('each job runs, once a quarter of a second, never early and hardly late', async () => {
    const times = fc.array(
      fc.tuple(fc.constantFrom('aa', 'bb'), fc.integer({ min: 1, max: 3_000 })),
      {
        maxLength: 30,
      },
    )
    await fc.assert(
      fc.asyncProperty(times, fc.integer({ min: 0, max: 999 }), async (wanted, offset) => {
        const harness = virtualHarness(new VirtualClock(1_700_000_000_000 + offset))
        const one = await instance(harness)
        const start = harness.clock.now()
        for (const [groupId, after] of wanted) {
          await one.jobs.schedule(checkGroup(groupId), start + after)
        }
        await harness.clock.advanceAsync(5_000)
        await one.jobs.close()
        const begun = one.begun.filter(({ what }) => what !== 'sweep-directory')
        for (const [groupId, after] of wanted) {
          const runs = begun.filter(({ what }) => what === `check-group ${groupId}`)
          const late = runs.map(({ at }) => at - start - after).filter((ms) => ms >= 0 && ms < 250)
          expect(late).toHaveLength(1)
        }
        const slots = begun.map(({ what, at }) => `${what} ${Math.ceil(at / 250)}`)
        expect(new Set(slots).size).toBe(slots.length)
      }),
      { numRuns: 100 },
    )
  })

  test('a webhook that fails for an hour is a dead letter', async () => {
    const { clock, ...harness } = virtualHarness()
    const one = await instance({ clock, ...harness }, async () => {
      throw new Error('the receiver answered 500')
    })
    const start = clock.now()
    await one.jobs.schedule(webhook('msg_1'), start)
    await clock.advanceAsync(2 * 3_600_000)
    expect(countOf([one], 'webhook msg_1')).toBe(10)
    const [letter] = await one.jobs.deadLetters.list(10)
    expect(letter).toMatchObject({ attempts: 10, reason: 'the receiver answered 500' })
    expect(letter?.failedAt).toBe(start + 7_000 * (2 ** 9 - 1))
    await clock.advanceAsync(3_600_000)
    expect(countOf([one], 'webhook msg_1')).toBe(10)
  })

  test('no more than 1,000 dead letters are kept, the newest', async () => {
    const { clock, ...harness } = virtualHarness()
    const one = await instance({ clock, ...harness }, async () => {
      throw new Error('the receiver answered 500')
    })
    for (let n = 0; n < 1_003; n++) await one.jobs.schedule(webhook(`msg_${n}`), clock.now())
    await clock.advanceAsync(2 * 3_600_000)
    const ids = (await one.jobs.deadLetters.list(2_000)).map(({ event }) => event.id)
    expect(ids).toHaveLength(1_000)
    expect(ids).toContain('msg_1002')
    expect(ids).not.toContain('msg_0')
  })

  test('a wait longer than timers can be is no shorter', async () => {
    const { clock, ...harness } = virtualHarness()
    const one = await instance({ clock, ...harness }, async () => {}, { sweepEveryMs: 2 ** 40 })
    const days = 86_400_000
    await one.jobs.schedule(checkGroup(), clock.now() + 60 * days)
    clock.advance(59 * days)
    expect(countOf([one], 'check-group aa')).toBe(0)
    clock.advance(2 * days)
    expect(countOf([one], 'check-group aa')).toBe(1)
  })

  test('nothing is left on the clock after closing', async () => {
    const { clock, ...harness } = virtualHarness()
    const one = await instance({ clock, ...harness })
    await one.jobs.schedule(checkGroup(), clock.now() + 1_000)
    await one.jobs.close()
    expect(clock.pendingTimers).toBe(0)
  })
})
