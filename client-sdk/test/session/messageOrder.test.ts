import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../../core/test/campaign.ts'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { MessageOrder } from '../../src/session/messageOrder.ts'

interface Told {
  readonly sender: string
  /** The message, or how many were missed before the next. */
  readonly what: number | { readonly missed: number }
}

/** Messages are named after sender and number. */
function observed() {
  const clock = new VirtualClock()
  const told: Told[] = []
  const order = new MessageOrder<{ sender: string; number: number }>(clock, {
    deliver: ({ sender, number }) => told.push({ sender, what: number }),
    missed: (sender, count) => told.push({ sender, what: { missed: count } }),
  })
  const offer = (number: number, { sender = 'alice', run = 'run', from = 0 } = {}) =>
    order.offer(sender, { run, number, from }, { sender, number })
  return { clock, order, told, offer, whats: () => told.map(({ what }) => what) }
}

describe('messages', () => {
  it('come at once where nothing is before them', () => {
    const { offer, whats, clock } = observed()
    expect([0, 1, 2].map((number) => offer(number))).toEqual([true, true, true])
    expect(whats()).toEqual([0, 1, 2])
    expect(clock.pendingTimers).toBe(0)
  })

  it('that are ahead wait two seconds for those before them', () => {
    const { offer, whats, clock } = observed()
    offer(0)
    offer(2)
    clock.advance(1_999)
    expect(whats()).toEqual([0])
    offer(1)
    expect(whats()).toEqual([0, 1, 2])
    expect(clock.pendingTimers).toBe(0)
  })

  it('that have not come by then are missed, and not taken any more', () => {
    const { offer, whats, clock } = observed()
    offer(0)
    offer(3)
    clock.advance(2_000)
    expect(whats()).toEqual([0, { missed: 2 }, 3])
    expect(offer(1)).toBe(false)
    expect(offer(4)).toBe(true)
    expect(whats()).toEqual([0, { missed: 2 }, 3, 4])
  })

  it('wait two seconds each, however many gaps are before them', () => {
    const { offer, whats, clock } = observed()
    offer(5)
    offer(3)
    clock.advance(500)
    offer(1)
    offer(7)
    clock.advance(1_500)
    const gap = { missed: 1 }
    expect(whats()).toEqual([gap, 1, gap, 3, gap, 5])
    clock.advance(500)
    expect(whats().slice(6)).toEqual([gap, 7])
    expect(clock.pendingTimers).toBe(0)
  })

  it('are taken once', () => {
    const { offer, whats } = observed()
    expect([offer(0), offer(0), offer(2), offer(2)]).toEqual([true, false, true, false])
    expect(whats()).toEqual([0])
  })

  it('of a sender who was there before begin where this one says', () => {
    const { offer, whats, clock } = observed()
    offer(7, { from: 5 })
    clock.advance(2_000)
    expect(whats()).toEqual([{ missed: 2 }, 7])
  })

  it('of another run begin anew, and none of the run before is taken', () => {
    const { offer, whats, clock } = observed()
    offer(0)
    offer(2)
    offer(0, { run: 'second', from: 9 })
    expect(whats()).toEqual([0, { missed: 1 }, 2, 0])
    expect(offer(3)).toBe(false)
    offer(2, { run: 'second' })
    clock.advance(2_000)
    expect(whats()).toEqual([0, { missed: 1 }, 2, 0, { missed: 1 }, 2])
  })

  it('that wait are bounded for each sender and for all', () => {
    const { offer, told, order, clock } = observed()
    for (let i = 0; i <= 32; i++) offer(2 * i + 1)
    expect(told.slice(0, 2).map(({ what }) => what)).toEqual([{ missed: 1 }, 1])
    for (let s = 0; s < 100; s++) {
      for (let i = 0; i < 20; i++) offer(2 * i + 1, { sender: `${s}` })
    }
    const taken = 33 + 100 * 20
    const delivered = told.filter(({ what }) => typeof what === 'number').length
    expect(taken - delivered).toBeLessThanOrEqual(256)
    order.close()
    expect(clock.pendingTimers).toBe(0)
  })

  it('of somebody who is gone wait no longer', () => {
    const { offer, whats, order, clock } = observed()
    offer(1)
    offer(3)
    order.forget('alice')
    expect(whats()).toEqual([{ missed: 1 }, 1, { missed: 1 }, 3])
    expect(clock.pendingTimers).toBe(0)
  })

  it('wait no longer when all that waits is wanted, and what comes later is missed as before', () => {
    const { offer, whats, order, clock } = observed()
    offer(1)
    offer(2, { sender: 'bob' })
    order.flush()
    expect(whats()).toEqual([{ missed: 1 }, 1, { missed: 2 }, 2])
    expect(clock.pendingTimers).toBe(0)
    expect(offer(0)).toBe(false)
    offer(3)
    clock.advance(2_000)
    expect(whats().slice(4)).toEqual([{ missed: 1 }, 3])
  })

  it('come at most once and in order through any loss, repetition and delay, and what is missed is counted', () => {
    const senders = ['alice', 'bob', 'carol']
    const arrival = fc.record({
      sender: fc.constantFrom(...senders),
      number: fc.nat({ max: 25 }),
      afterMs: fc.constantFrom(0, 0, 0, 100, 1_000, 2_500),
    })
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 80 }), (arrivals) => {
        const { offer, told, clock } = observed()
        let taken = 0
        for (const { sender, number, afterMs } of arrivals) {
          clock.advance(afterMs)
          if (offer(number, { sender })) taken += 1
        }
        clock.advance(60_000)
        expect(clock.pendingTimers).toBe(0)
        expect(told.filter(({ what }) => typeof what === 'number')).toHaveLength(taken)
        for (const sender of senders) {
          // Counting what is delivered and what is missed gives the numbers themselves.
          let next = 0
          for (const { what } of told.filter((one) => one.sender === sender)) {
            if (typeof what === 'number') {
              expect(what).toBe(next)
              next += 1
            } else {
              expect(what.missed).toBeGreaterThan(0)
              next += what.missed
            }
          }
          const sent = arrivals.filter((one) => one.sender === sender).map(({ number }) => number)
          expect(next).toBe(Math.max(-1, ...sent) + 1)
        }
      }),
      { numRuns: 300, seed },
    )
  })
})
