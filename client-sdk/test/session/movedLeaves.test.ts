import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { movedLeaves } from '../../src/session/movedLeaves.ts'
import type { Participant, Roster } from '../../src/session/roster.ts'

/** `a1` is a tab of the device 1 of a. */
function rosterOf(leaves: ReadonlyMap<number, string>): Roster {
  const participants = [...leaves].map(
    ([leaf, [identity = '', device = '1']]) =>
      ({ leaf, identity, deviceKey: new Uint8Array([Number(device)]) }) as Participant,
  )
  return { participants } as unknown as Roster
}

function numbered(names: readonly string[]): Roster {
  return rosterOf(new Map(names.map((name, leaf) => [leaf, name])))
}

const moved = (before: Roster, after: Roster) =>
  [...movedLeaves(before, after)].sort(([a], [b]) => a - b)

describe('leaves in a group that continues another', () => {
  it('are the founder’s, and the others’ in their old order', () => {
    const before = rosterOf(
      new Map([
        [1, 'a1'],
        [4, 'b1'],
        [5, 'c1'],
        [9, 'd1'],
      ]),
    )
    expect(moved(before, numbered(['c1', 'a1', 'b1', 'd1']))).toEqual([
      [1, 1],
      [4, 2],
      [5, 0],
      [9, 3],
    ])
  })

  it('tell tabs of one device apart, whichever has founded', () => {
    // a has three tabs, of which the first, second or third has founded.
    const before = numbered(['a1', 'b1', 'a1', 'c1', 'a1'])
    for (const [names, founder] of [
      [['a1', 'b1', 'a1', 'c1', 'a1'], 0],
      [['a1', 'a1', 'b1', 'c1', 'a1'], 2],
      [['a1', 'a1', 'b1', 'a1', 'c1'], 4],
    ] as const) {
      expect(movedLeaves(before, numbered(names)).get(founder)).toBe(0)
    }
  })

  it('are matched by device where the order is another, or not everybody is there', () => {
    const before = numbered(['a1', 'b1', 'c1', 'd1'])
    expect(moved(before, numbered(['d1', 'c1', 'b1', 'a1']))).toEqual([
      [0, 3],
      [1, 2],
      [2, 1],
      [3, 0],
    ])
    expect(moved(before, numbered(['b1', 'a2', 'e1', 'd1']))).toEqual([
      [1, 0],
      [3, 3],
    ])
  })

  it('are nobody’s twice, and a device’s are its own', () => {
    const names = fc.constantFrom('a1', 'a2', 'b1', 'b2', 'c1')
    fc.assert(
      fc.property(
        fc.array(names, { maxLength: 12 }),
        fc.array(names, { maxLength: 12 }),
        (a, b) => {
          const leaves = movedLeaves(numbered(a), numbered(b))
          expect(new Set(leaves.values()).size).toBe(leaves.size)
          for (const [before, after] of leaves) expect(a[before]).toBe(b[after])
        },
      ),
    )
  })
})
