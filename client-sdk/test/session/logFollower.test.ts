import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LogFollower } from '../../src/session/logFollower.ts'

/** The same with everything that was ever offered written down. */
class SlowFollower {
  last: number
  readonly #offered: number[] = []

  constructor(last: number) {
    this.last = last
  }

  accepts(seq: number): boolean {
    this.#offered.push(seq)
    if (seq !== this.last + 1) return false
    this.last = seq
    return true
  }

  get hasGap(): boolean {
    return this.#offered.some((seq) => seq > this.last)
  }

  caughtUp(): void {
    this.#offered.length = 0
  }
}

const steps = fc.array(
  fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 0, max: 12 }) },
    { weight: 1, arbitrary: fc.constant('caught up' as const) },
    { weight: 1, arbitrary: fc.constant(Number.MAX_SAFE_INTEGER) },
  ),
  { maxLength: 60 },
)

describe('LogFollower', () => {
  it('does what remembering everything would do, in whatever order entries come', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 }), steps, (start, happenings) => {
        const follower = new LogFollower(start)
        const slow = new SlowFollower(start)
        for (const happening of happenings) {
          if (happening === 'caught up') {
            follower.caughtUp()
            slow.caughtUp()
          } else {
            expect(follower.accepts({ seq: happening })).toBe(slow.accepts(happening))
          }
          expect(follower.last).toBe(slow.last)
          expect(follower.hasGap).toBe(slow.hasGap)
        }
      }),
    )
  })

  it('accepts every entry of a log exactly once and in order, however often pages repeat', () => {
    const pages = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 10 })),
    )
    fc.assert(
      fc.property(pages, (ranges) => {
        const follower = new LogFollower(0)
        const accepted: number[] = []
        for (const [from, length] of [...ranges, [1, 40] as const]) {
          for (let seq = from; seq < from + length; seq++) {
            if (follower.accepts({ seq })) accepted.push(seq)
          }
        }
        expect(accepted).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
      }),
    )
  })
})
