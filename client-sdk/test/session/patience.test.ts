import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { firstWait, nextWait, nothingWaited, type Sighting } from '../../src/session/patience.ts'

const quiet: Sighting = { head: 0, present: 1, position: 0 }

/** How often somebody waits who sees this each time, until it is to commit itself in. */
function rounds(position: number, sightings: Iterable<Sighting>): number {
  let { waited } = firstWait({ ...nothingWaited, position })
  let count = 0
  for (const seen of sightings) {
    count += 1
    const next = nextWait(waited, seen)
    if (next === undefined) return count
    waited = next.waited
  }
  return Number.POSITIVE_INFINITY
}

function* always(seen: (round: number) => Sighting): Generator<Sighting> {
  for (let round = 0; round < 10_000; round++) yield seen(round)
}

describe('the patience of who waits to be added', () => {
  it('is 20 ms longer for each member that is connected', () => {
    expect(firstWait(nothingWaited).ms).toBe(3_000)
    expect(nextWait(nothingWaited, { ...quiet, present: 50 })?.ms).toBe(1_000)
    const { waited } = nextWait(nothingWaited, { ...quiet, head: 1, present: 50 }) ?? {}
    expect(waited).toMatchObject({ head: 1, extensions: 1 })
  })

  it('lets each who waits longer have its turn', () => {
    const seen = (position: number) => always(() => ({ ...quiet, position, present: 0 }))
    expect([0, 1, 2, 9].map((position) => rounds(position, seen(position)))).toEqual([1, 2, 3, 10])
  })

  it('lasts as long as those before it are let in', () => {
    const moving = always((round) => ({ ...quiet, position: Math.max(0, 99 - round) }))
    expect(rounds(100, moving)).toBeGreaterThan(100)
  })

  it('has an end, however the group goes on without it', () => {
    const sighting = fc.record({ head: fc.nat(), present: fc.nat(1_000) })
    fc.assert(
      fc.property(fc.nat(20), fc.infiniteStream(sighting), (position, stream) => {
        const seen = (function* () {
          for (const each of stream) yield { ...each, position }
        })()
        // Three times anew; each time the turns, and what more who are connected add.
        expect(rounds(position, seen)).toBeLessThanOrEqual(1_000 + 4 * (position + 1))
      }),
      { numRuns: 50 },
    )
  })
})
