import { Lane } from '@conclave/core'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { TokenBucket } from '../../src/connection/tokenBucket.ts'
import { PacedTask } from '../../src/ordering/pacedTask.ts'

describe('a paced notice', () => {
  test('goes out at once, and a burst after it goes out as one', () => {
    const clock = new VirtualClock()
    const sent: number[] = []
    const notice = new PacedTask(clock, 50, () => sent.push(clock.now()))
    const start = clock.now()
    for (let i = 0; i < 5; i++) notice.request()
    expect(sent).toEqual([start])
    clock.advance(50)
    expect(sent).toEqual([start, start + 50])
    clock.advance(1000)
    notice.request()
    expect(sent).toHaveLength(3)
  })

  test('is the rarer the more hear of it, or the longer it is', () => {
    const clock = new VirtualClock()
    const sent: number[] = []
    const notice = new PacedTask(clock, 50, () => sent.push(clock.now()))
    const start = clock.now()
    notice.request()
    notice.weigh({ bytes: 100, hearers: 300 })
    notice.request()
    clock.advance(50)
    // From the second on: the pause after the first had begun.
    notice.request()
    clock.advance(299)
    expect(sent).toEqual([start, start + 50])
    clock.advance(1)
    expect(sent).toEqual([start, start + 50, start + 350])
    notice.weigh({ bytes: 1 << 20, hearers: 2 })
    clock.advance(300)
    notice.request()
    notice.request()
    clock.advance(499)
    expect(sent).toHaveLength(4)
    clock.advance(1)
    expect(sent).toHaveLength(5)
  })

  test('goes out at once where it would be wrong until then', () => {
    const clock = new VirtualClock()
    const sent: number[] = []
    const notice = new PacedTask(clock, 50, () => sent.push(clock.now()))
    const start = clock.now()
    notice.request()
    clock.advance(10)
    notice.requestAtOnce()
    notice.request()
    clock.advance(50)
    expect(sent).toEqual([start, start + 10, start + 60])
  })

  test('is not sent after it has been stopped', () => {
    const clock = new VirtualClock()
    let sent = 0
    const notice = new PacedTask(clock, 50, () => {
      sent += 1
    })
    notice.request()
    notice.request()
    notice.stop()
    clock.advance(100)
    expect(sent).toBe(1)
  })
})

describe('a lane', () => {
  test('runs one task at a time, in order, and goes on after a failure', async () => {
    const lane = new Lane()
    const done: string[] = []
    const task = (name: string) => async () => {
      done.push(`${name} begins`)
      await Promise.resolve()
      done.push(`${name} ends`)
      if (name === 'b') throw new Error('b failed')
      return name
    }
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => lane.run(task(name))))
    expect(done).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })
})

describe('a token bucket', () => {
  test('lets a burst pass, then so many a second', () => {
    const clock = new VirtualClock()
    const bucket = new TokenBucket(clock, 2, 3)
    const take = (count: number) => Array.from({ length: count }, () => bucket.take())
    expect(take(4)).toEqual([true, true, true, false])
    clock.advance(500)
    expect(take(2)).toEqual([true, false])
    clock.advance(60_000)
    expect(take(4)).toEqual([true, true, true, false])
  })
})
