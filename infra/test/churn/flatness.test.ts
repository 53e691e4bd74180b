import { describe, expect, it } from 'vitest'
import { trendsOf } from '../../churn/flatness.ts'

const allowances = { bytes: { fraction: 0.1, units: 5 } }

function growsIn(values: readonly number[], warmUp = 0): boolean {
  return trendsOf(
    values.map((bytes) => ({ bytes })),
    warmUp,
    allowances,
  ).bytes.grows
}

describe('what is looked at again and again', () => {
  const saw = [100, 140, 120, 100, 140, 120, 100, 140, 120, 100, 140, 120]

  it.each([
    ['stays as it is', [7, 7, 7, 7, 7, 7], false],
    ['goes up and down', saw, false],
    ['stands out once at the end', [100, 101, 99, 100, 101, 99, 100, 101, 9_000], false],
    ['falls', [900, 800, 700, 600, 500, 400], false],
    ['grows by less than it may', [100, 101, 102, 103, 104, 105], false],
    ['grows by a little each time', saw.map((value, i) => value + 4 * i), true],
    ['comes out of nothing', [0, 0, 1, 3, 6, 7], true],
    ['has jumped and stays there', [100, 100, 100, 150, 150, 150], true],
  ])('that %s is said to grow, or not', (_what, values, grows) => {
    expect(growsIn(values)).toBe(grows)
  })

  it('does not count before it is warm', () => {
    const values = [1, 50, 99, 100, 101, 100, 99, 101, 100]
    expect(growsIn(values)).toBe(true)
    expect(growsIn(values, 3)).toBe(false)
    expect(() => growsIn(values, 7)).toThrow(RangeError)
  })
})
