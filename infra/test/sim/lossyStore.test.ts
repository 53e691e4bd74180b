import { describe, expect, it } from 'vitest'
import { LogHistory } from '../../sim/invariants/logHistory.ts'
import { planOf, type Step } from '../../sim/plan.ts'
import { simulate } from '../../sim/simulate.ts'
import { clientPlants } from './clientPlants.ts'

const key = { meetingId: 'standup', groupId: new Uint8Array([1]) }

/** A history of commits, of which each ends the epoch before the next one's. */
function historyOf(commits: number): LogHistory {
  const history = new LogHistory(() => {})
  for (let epoch = 0; epoch < commits; epoch++) {
    const commit = { epoch, message: new Uint8Array(), committer: 0 }
    history.stepTaken('appendCommit', [key, commit], { outcome: 'appended', seq: epoch + 1 })
  }
  return history
}

/** How often each epoch may begin, from the founder's on. */
function beginnings(history: LogHistory, epochs: number): readonly number[] {
  return Array.from({ length: epochs }, (_, epoch) =>
    history.mostBeginnings(key.groupId, BigInt(epoch)),
  )
}

describe('epochs begin once', () => {
  it('where nothing is lost or undone', () => {
    expect(beginnings(historyOf(3), 6)).toEqual([1, 1, 1, 1, 1, 1])
  })

  it('but for those that a store has lost, each time it loses them', () => {
    const history = historyOf(4)
    history.lost(key, 2)
    expect(beginnings(history, 7)).toEqual([1, 1, 1, 2, 2, 1, 1])
    history.lost(key, 3)
    expect(beginnings(history, 7)).toEqual([1, 1, 1, 2, 3, 1, 1])
    expect(history.isStraight(key.groupId)).toBe(false)
  })

  it('but for one whose commit is undone', () => {
    const history = historyOf(3)
    history.stepTaken('appendVoid', [key, { voided: 3 }], { outcome: 'appended', seq: 4 })
    expect(beginnings(history, 5)).toEqual([1, 1, 1, 2, 1])
  })
})

describe('a store that loses what it had acknowledged', () => {
  it('brings back a group that everybody has left, whose epochs begin anew unknown to anybody', async () => {
    const steps: readonly Step[] = [
      { place: 0, action: 'come', who: 0, thenMs: 7946 },
      { place: 1, action: 'come', who: 1, thenMs: 631 },
      { place: 3, action: 'leave', who: 0, thenMs: 0 },
      { place: 4, action: 'leave', who: 1, thenMs: 224 },
      { place: 5, action: 'lose all', who: 0, thenMs: 0 },
    ]
    const outcome = await simulate({ seed: 1468066648, members: 2, steps })
    expect(outcome.trace.filter((line) => line.includes('leaf 1 in epoch 1'))).toHaveLength(2)
    expect(outcome.violation).toBeUndefined()
  })

  it('does not hide that a session splits the group by itself', async () => {
    const name = 'a session applies its own commit before the log has it'
    const plant = clientPlants.find((each) => each.name === name)
    const isFound = async (seed: number) => {
      const { members, steps } = planOf(seed, 4, 14)
      const loss = { place: 14, action: 'lose entries', who: 0, thenMs: 100 }
      const plan = { seed, members, steps: steps.toSpliced(4, 0, loss) }
      const { violation, trace } = await simulate(plan, plant)
      const hasLost = trace.some((line) => / ms: its head was [1-9]/.test(line))
      return violation?.check === 'epoch-twofold' && hasLost
    }
    let seed = 1
    while (seed <= 100 && !(await isFound(seed))) seed += 1
    expect(seed).toBeLessThanOrEqual(100)
  })
})
