import type { Clock } from '@conclave/core'
import { describe, expect, it } from 'vitest'
import { holdsTheContract } from '../../../client-sdk/test/storage/contract.ts'
import { Chance } from '../../sim/chance.ts'
import { Disk } from '../../sim/people/disk.ts'

/** Nothing that waits here waits for anything but its turn. */
const clock: Clock = {
  now: () => 0,
  setTimer: (_, callback) => {
    queueMicrotask(callback)
    return () => {}
  },
}

describe('a simulated disk', () => {
  it('gives a lock to the next life when one has died, and to no other before', async () => {
    const disk = new Disk(clock, new Chance('disk'))
    let isAlive = true
    const first = disk.storeOf(() => isAlive)
    const second = disk.storeOf(() => true)
    const release = await first.hold('a')
    expect(await first.hold('a')).toBeUndefined()
    expect(await second.hold('a')).toBeUndefined()
    isAlive = false
    expect(await second.hold('a')).toBeTypeOf('function')
    release?.()
    expect(await second.hold('a')).toBeUndefined()
  })
})

describe('the store of a simulated disk', () => {
  holdsTheContract({
    medium: async () => {
      const store = new Disk(clock, new Chance('disk')).storeOf(() => true)
      return { open: () => store }
    },
    runs: 300,
  })
})
