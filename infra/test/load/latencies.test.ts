import { describe, expect, it } from 'vitest'
import { courseOf, joinTimes, leaveTimes, summaryOf, turnTimes } from '../../load/latencies.ts'
import type { ClientRecord } from '../../load/loadClient.ts'

const phase = { startedAt: 100, endedAt: 200 }

function record(name: string, about: Partial<ClientRecord>): ClientRecord {
  return {
    name,
    leaf: 0,
    joinCalledAt: 10,
    waitingAt: undefined,
    welcomedAt: undefined,
    leaveCalledAt: undefined,
    installed: [{ epoch: 1, at: 20, removed: [] }],
    won: [],
    failed: undefined,
    ...about,
  }
}

const epochs = (...installed: readonly (readonly [at: number, ...removed: number[]])[]) =>
  installed.map(([at, ...removed], epoch) => ({ epoch, at, removed }))

describe('the latencies of a run', () => {
  it('are the smallest that 50, 95 and 100 of a hundred do not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(summaryOf(hundred)).toEqual({ p50: 50, p95: 95, max: 100 })
    expect(summaryOf([])).toBeUndefined()
  })

  it('of a join end with the first key, and are divided by the waiting list and the Welcome', () => {
    const joiner = record('joiner', {
      joinCalledAt: 110,
      waitingAt: 115,
      welcomedAt: 140,
      installed: epochs([147], [180]),
    })
    const founder = record('founder', { joinCalledAt: 105, installed: epochs([109]) })
    const earlier = record('earlier', {})
    expect(joinTimes([joiner, founder, earlier], phase)).toEqual({
      total: [37, 4],
      listed: [5],
      waiting: [25],
      entering: [7],
    })
  })

  it('of a leave end when the last of those who stay has an epoch without the leaver', () => {
    const leaver = record('leaver', { leaf: 3, leaveCalledAt: 120 })
    const fast = record('fast', { installed: epochs([20], [115, 3], [131, 3], [160, 3]) })
    const slow = record('slow', { installed: epochs([20], [130, 1], [140, 3]) })
    const newcomer = record('newcomer', { installed: epochs([150], [190, 3]) })
    const alsoLeaving = record('also leaving', { leaf: 4, leaveCalledAt: 121 })
    const all = [leaver, fast, slow, newcomer, alsoLeaving]
    expect(leaveTimes(all, phase)).toEqual([20])
  })

  it('of a turn are the waiting for it and the making of the commit', () => {
    const committer = record('committer', {
      won: [
        { seq: 1, newsAt: 50, turnAt: 60, sentAt: 70 },
        { seq: 2, newsAt: 110, turnAt: 112, sentAt: 120 },
        // Its turn had come when it heard of what there was to do.
        { seq: 3, newsAt: 150, turnAt: 149, sentAt: 152 },
      ],
    })
    expect(turnTimes([committer], phase)).toEqual({ waiting: [2, 0], making: [8, 3] })
  })

  it('of a phase go from its first call to its last key', () => {
    const joiner = record('joiner', { joinCalledAt: 110, installed: epochs([147], [180], [250]) })
    const leaver = record('leaver', { leaveCalledAt: 130 })
    expect(courseOf([joiner, leaver], phase)).toEqual({ spreadMs: 20, tookMs: 70 })
  })
})
