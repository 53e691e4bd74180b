import { beforeAll, describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { CommitScheduler } from '../../src/session/commitScheduler.ts'
import { committersInOrder } from './support/committers.ts'
import { Gathering } from './support/people.ts'

let gathering: Gathering
let removing: Gathering
beforeAll(async () => {
  gathering = await Gathering.of(4)
  removing = await Gathering.of(4)
  await removing.group(0).receive(await removing.removalOf(3))
})

const present = new Set([0, 1, 2, 3])

function setup(rank: number, { public: group } = gathering.group(0)) {
  const clock = new VirtualClock()
  const commits: number[] = []
  const started = clock.now()
  const scheduler = new CommitScheduler(clock, () => commits.push(clock.now() - started))
  const ownLeaf = committersInOrder(group, present)[rank] ?? -1
  const reconsider = (work = true) => scheduler.reconsider({ group, ownLeaf, present, work })
  return { clock, commits, scheduler, reconsider }
}

describe('CommitScheduler', () => {
  it.each([
    [0, 100],
    [1, 370],
    [2, 910],
    [3, 1_720],
  ])('rank %i commits after %i ms', (rank, ms) => {
    const { clock, commits, reconsider } = setup(rank)
    reconsider()
    clock.advance(ms - 1)
    expect(commits).toEqual([])
    clock.advance(1)
    expect(commits).toEqual([ms])
  })

  it.each([
    [0, 0],
    [1, 250],
    [2, 750],
  ])('with somebody to remove rank %i commits after %i ms', (rank, ms) => {
    const { clock, commits, reconsider } = setup(rank, removing.group(0))
    reconsider()
    clock.advance(10_000)
    expect(commits).toEqual([ms])
  })

  it('is not put off by whatever else happens in the batching window', () => {
    const { clock, commits, reconsider } = setup(0)
    for (let ms = 0; ms < 100; ms += 10) {
      reconsider()
      clock.advance(10)
    }
    expect(commits).toEqual([100])
  })

  it('begins a new window when there was nothing to do in between', () => {
    const { clock, commits, reconsider } = setup(0)
    reconsider()
    clock.advance(90)
    reconsider(false)
    expect(clock.pendingTimers).toBe(0)
    clock.advance(500)
    reconsider()
    clock.advance(10_000)
    expect(commits).toEqual([690])
  })

  it('does not count itself as absent, whatever the keyserver says', () => {
    const { public: group } = gathering.group(0)
    const clock = new VirtualClock()
    let commits = 0
    const scheduler = new CommitScheduler(clock, () => {
      commits += 1
    })
    scheduler.reconsider({ group, ownLeaf: 2, present: new Set(), work: true })
    clock.advance(100)
    expect(commits).toBe(1)
  })

  it('never has its turn when it is itself about to be removed', () => {
    const clock = new VirtualClock()
    const scheduler = new CommitScheduler(clock, () => {})
    const { public: group } = removing.group(0)
    scheduler.reconsider({ group, ownLeaf: 3, present, work: true })
    expect(clock.pendingTimers).toBe(0)
  })

  it('waits longer after each refusal, up to ten seconds, and starts afresh with an epoch', () => {
    const { clock, commits, scheduler, reconsider } = setup(0)
    const pauses: number[] = []
    for (let i = 0; i < 7; i++) {
      const before = clock.now()
      scheduler.refused()
      reconsider()
      while (commits.length === i) clock.advance(1)
      pauses.push(clock.now() - before)
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
    scheduler.refused()
    scheduler.epochBegan()
    reconsider()
    const before = clock.now()
    while (commits.length === 7) clock.advance(1)
    expect(clock.now() - before).toBe(100)
  })

  it('is not put off for hours by a clock that was set back', () => {
    const { public: group } = gathering.group(0)
    const clock = new VirtualClock()
    let setBackMs = 0
    let commits = 0
    const scheduler = new CommitScheduler(
      {
        now: () => clock.now() - setBackMs,
        setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
      },
      () => {
        commits += 1
      },
    )
    const ownLeaf = committersInOrder(group, present)[0] ?? -1
    const situation = { group, ownLeaf, present, work: true }
    scheduler.reconsider(situation)
    setBackMs = 3_600_000
    scheduler.reconsider(situation)
    clock.advance(100)
    expect(commits).toBe(1)
    scheduler.refused()
    setBackMs = 7_200_000
    scheduler.reconsider(situation)
    clock.advance(10_000)
    expect(commits).toBe(2)
  })

  it.each([
    [0, 350],
    [1, 390],
  ])(
    'where its process had no turn for long, rank %i commits after %i ms: news goes first',
    (rank, ms) => {
      const { public: group } = gathering.group(0)
      const clock = new VirtualClock()
      const commits: number[] = []
      const started = clock.now()
      let blockedMs = 0
      const scheduler = new CommitScheduler(
        {
          now: () => clock.now() + blockedMs,
          setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
        },
        () => commits.push(clock.now() - started),
      )
      const ownLeaf = committersInOrder(group, present)[rank] ?? -1
      clock.advance(rank === 0 ? 250 : 0)
      scheduler.reconsider({ group, ownLeaf, present, work: true })
      blockedMs = 51
      clock.advance(10_000)
      expect(commits).toEqual([ms])
    },
  )

  it('leaves no timer when it is stopped', () => {
    const { clock, scheduler, reconsider } = setup(0)
    reconsider()
    scheduler.stop()
    expect(clock.pendingTimers).toBe(0)
  })
})
