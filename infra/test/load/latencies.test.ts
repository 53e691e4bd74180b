import { describe, expect, it } from 'vitest'
import {
  courseOf,
  goodbyeTimes,
  joinTimes,
  leaveTimes,
  lostCommits,
  summaryOf,
  turnTimes,
} from '../../load/latencies.ts'
import type { ClientRecord } from '../../load/loadClient.ts'

const commit = {
  kind: 'commit',
  committer: 0,
  external: false,
  added: [],
  removed: [],
  seals: 0,
  bytes: 0,
} as const
const phase = {
  startedAt: 100,
  endedAt: 200,
  entries: [
    { kind: 'proposal', at: 118, epoch: 1 } as const,
    { ...commit, seq: 2, at: 125, epoch: 1 },
    { ...commit, seq: 3, at: 155, epoch: 2 },
  ],
}

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
    lostAt: [],
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

  it('of a turn are the waiting for it, the making, ordering and spreading of the commit', () => {
    const slow = record('slow', { installed: epochs([20], [21], [139], [158]) })
    const committer = record('committer', {
      installed: epochs([20], [21], [127], [170]),
      won: [
        { seq: 1, turn: { newsAt: 50, at: 60 }, sentAt: 70 },
        { seq: 2, turn: { newsAt: 110, at: 112 }, sentAt: 120 },
        // Its turn had come when it heard of what there was to do.
        { seq: 3, turn: { newsAt: 150, at: 149 }, sentAt: 152 },
        // It entered by a commit of its own.
        { seq: 4, turn: undefined, sentAt: 160 },
      ],
    })
    expect(turnTimes([committer, slow], phase)).toEqual({
      waiting: [2, 0],
      making: [8, 3],
      ordering: [5, 3],
      spreading: [14, 15],
    })
  })

  it('of a goodbye end with the word in the log', () => {
    const leaver = record('leaver', { leaveCalledAt: 112 })
    const cutOff = record('cut off', { leaveCalledAt: 190 })
    expect(goodbyeTimes([leaver, cutOff], phase)).toEqual([6])
  })

  it('know of commits that were made in vain', () => {
    const hasty = [record('a', { lostAt: [90, 130] }), record('b', { lostAt: [140] })]
    expect(lostCommits(hasty, phase)).toBe(2)
  })

  it('of a phase go from its first call to its last key', () => {
    const joiner = record('joiner', { joinCalledAt: 110, installed: epochs([147], [180], [250]) })
    const leaver = record('leaver', { leaveCalledAt: 130 })
    expect(courseOf([joiner, leaver], phase)).toEqual({ spreadMs: 20, tookMs: 70 })
  })
})
