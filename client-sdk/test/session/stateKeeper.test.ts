import { Lane } from '@conclave/core'
import { describe, expect, it } from 'vitest'
import { SessionError } from '../../src/index.ts'
import { StateKeeper } from '../../src/session/stateKeeper.ts'

/** A store that writes when it is told to. */
function slowStore() {
  const lane = new Lane()
  const writes: { readonly state: number; done(): void; fail(error: Error): void }[] = []
  const problems: string[] = []
  const failures: unknown[] = []
  let state = 0
  const keeper = new StateKeeper({
    run: (step) => void lane.run(step).catch((error: unknown) => failures.push(error)),
    keep: () =>
      new Promise((resolve, reject) => {
        writes.push({ state, done: resolve, fail: reject })
      }),
    problem: ({ code }) => problems.push(code),
  })
  return {
    keeper,
    writes,
    problems,
    failures,
    become: (next: number) => {
      state = next
    },
    idle: () => new Promise((resolve) => setImmediate(resolve)),
  }
}

describe('the states of a membership', () => {
  it('are written one at a time, and of those that come meanwhile the newest', async () => {
    const { keeper, writes, become, idle } = slowStore()
    for (const state of [1, 2, 3]) {
      become(state)
      keeper.soon()
    }
    expect(writes.map(({ state }) => state)).toEqual([1])
    writes[0]?.done()
    await idle()
    expect(writes.map(({ state }) => state)).toEqual([1, 3])
    writes[1]?.done()
    await idle()
    expect(writes).toHaveLength(2)
  })

  it('are waited for where it matters, whatever is being written', async () => {
    const { keeper, writes, become, idle } = slowStore()
    keeper.soon()
    become(1)
    keeper.soon()
    let kept = false
    const now = keeper.now().then(() => {
      kept = true
    })
    expect(writes.map(({ state }) => state)).toEqual([0, 1])
    writes[0]?.done()
    await idle()
    expect(kept).toBe(false)
    writes[1]?.done()
    await now
    expect(writes).toHaveLength(2)
  })

  it('are told as problems where they cannot be written, and the next is tried', async () => {
    const { keeper, writes, problems, failures, idle } = slowStore()
    const full = new SessionError('store-unavailable', 'the disk is full')
    keeper.soon()
    writes[0]?.fail(full)
    await idle()
    expect(problems).toEqual(['store-unavailable'])
    keeper.soon()
    writes[1]?.done()
    const waited = keeper.now()
    writes[2]?.fail(full)
    await expect(waited).rejects.toBe(full)
    expect(failures).toEqual([])
  })

  it('are the session’s to fail for where a store throws something of its own', async () => {
    const { keeper, writes, problems, failures, idle } = slowStore()
    keeper.soon()
    writes[0]?.fail(new TypeError('no store'))
    await idle()
    expect(problems).toEqual([])
    expect(failures).toMatchObject([{ message: 'no store' }])
  })

  it('are not written any more after the end', async () => {
    const { keeper, writes, problems, idle } = slowStore()
    keeper.soon()
    keeper.soon()
    keeper.stop()
    writes[0]?.fail(new SessionError('store-unavailable', 'the disk is full'))
    await idle()
    keeper.soon()
    expect(writes).toHaveLength(1)
    expect(problems).toEqual([])
  })
})
