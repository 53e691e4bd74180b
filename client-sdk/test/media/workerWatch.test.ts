import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { WORKER_PING_MS, WorkerWatch } from '../../src/media/workerWatch.ts'

describe('a worker that is watched', () => {
  let clock: VirtualClock
  let asked: number
  let silent: number
  let watch: WorkerWatch
  beforeEach(() => {
    clock = new VirtualClock()
    asked = 0
    silent = 0
    watch = new WorkerWatch(clock, {
      ask: () => {
        asked++
      },
      silent: () => {
        silent++
      },
    })
    watch.start()
  })

  it('is asked every five seconds and given up, once, after two questions without an answer', () => {
    clock.advance(3 * WORKER_PING_MS - 1)
    expect([asked, silent]).toEqual([2, 0])
    clock.advance(1)
    expect([asked, silent]).toEqual([2, 1])
    clock.advance(10 * WORKER_PING_MS)
    expect([asked, silent]).toEqual([2, 1])
    expect(clock.pendingTimers).toBe(0)
  })

  it('is not given up while it says anything', () => {
    for (let i = 0; i < 20; i++) {
      clock.advance(2 * WORKER_PING_MS)
      watch.heard()
    }
    expect([asked, silent]).toEqual([40, 0])
  })

  it('may be another one, and is left alone at the end', () => {
    clock.advance(2 * WORKER_PING_MS)
    watch.start()
    clock.advance(2 * WORKER_PING_MS)
    expect([asked, silent]).toEqual([4, 0])
    watch.stop()
    clock.advance(10 * WORKER_PING_MS)
    expect([asked, silent]).toEqual([4, 0])
  })
})
