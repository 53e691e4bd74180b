import { REPLAY_WINDOW_SIZE, ReplayWindow } from '@conclave/core/sframe'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** The slow twin: remembers every counter it took. */
class RememberingWindow {
  readonly #taken = new Set<bigint>()
  #highest = -1n

  take(ctr: bigint): boolean {
    const tooOld = ctr <= this.#highest - BigInt(REPLAY_WINDOW_SIZE)
    if (tooOld || this.#taken.has(ctr)) return false
    this.#taken.add(ctr)
    if (ctr > this.#highest) this.#highest = ctr
    return true
  }
}

/** Counters that crawl, jump, fall back and repeat. */
const counters = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: -40, max: 60 }) },
      { weight: 2, arbitrary: fc.integer({ min: -1100, max: 1100 }) },
      { weight: 1, arbitrary: fc.integer({ min: 1000, max: 100_000 }) },
    ),
    { maxLength: 300 },
  )
  .map((steps) => {
    let at = 0
    return steps.map((step) => {
      at = Math.max(0, at + step)
      return BigInt(at)
    })
  })

describe('the replay window', () => {
  it('takes exactly the counters that a window with unlimited memory takes', () => {
    fc.assert(
      fc.property(counters, (sequence) => {
        const window = new ReplayWindow()
        const twin = new RememberingWindow()
        for (const ctr of sequence) {
          const expected = twin.take(ctr)
          expect(window.isFresh(ctr)).toBe(expected)
          expect(window.take(ctr)).toBe(expected)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is 1024 counters wide', () => {
    const window = new ReplayWindow()
    window.take(5000n)
    expect(window.take(5000n - 1023n)).toBe(true)
    expect(window.take(5000n - 1024n)).toBe(false)
  })

  it('jumps forward to the last counter there is, and takes it once', () => {
    const window = new ReplayWindow()
    expect(window.take(0n)).toBe(true)
    expect(window.take(2n ** 64n - 1n)).toBe(true)
    expect(window.take(2n ** 64n - 1n)).toBe(false)
    expect(window.take(0n)).toBe(false)
  })

  it('asking does not take', () => {
    const window = new ReplayWindow()
    expect(window.isFresh(9n)).toBe(true)
    expect(window.isFresh(9n)).toBe(true)
    expect(window.take(9n)).toBe(true)
  })
})
