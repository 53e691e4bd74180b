import { type LogEntry, maxMessageBytes, packEntries } from '@conclave/core/delivery'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeptEntries } from '../../src/session/keptEntries.ts'

const sizes = fc.array(
  fc.oneof(fc.nat({ max: 2_000 }), fc.integer({ min: 1 << 18, max: maxMessageBytes })),
  { maxLength: 100 },
)

function logOf(start: number, lengths: readonly number[]): LogEntry[] {
  return lengths.map((length, i) => ({
    seq: start + i,
    message: new Uint8Array(length).fill((start + i) % 251),
  }))
}

describe('KeptEntries', () => {
  it('has the newest entries without gaps, as many as one request can hold', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10_000 }), sizes, (before, lengths) => {
        const log = logOf(before + 1, lengths)
        const kept = new KeptEntries()
        for (const entry of log) kept.add(entry)
        const all = kept.after(before)
        expect(all).toEqual(all.length === 0 ? [] : log.slice(-all.length))
        expect(all.length).toBeLessThanOrEqual(64)
        expect(packEntries(all).length).toBeLessThanOrEqual(maxMessageBytes)
        expect(kept.first).toBe(all[0]?.seq)
        // What was dropped would have been too much.
        const oneMore = log.slice(-(all.length + 1))
        const packed = oneMore.reduce((sum, { message }) => sum + message.length + 16, 0)
        if (oneMore.length > all.length && all.length < 64) {
          expect(packed).toBeGreaterThan(maxMessageBytes)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('gives what comes after an entry', () => {
    const kept = new KeptEntries()
    expect(kept.first).toBeUndefined()
    for (const entry of logOf(5, [1, 2, 3])) kept.add(entry)
    const after = (seq: number) => kept.after(seq).map((entry) => entry.seq)
    expect([4, 5, 6, 7].map(after)).toEqual([[5, 6, 7], [6, 7], [7], []])
  })

  it('knows another entry under a number that it has', () => {
    const kept = new KeptEntries()
    const other = Uint8Array.of(9)
    expect(kept.contradicts({ seq: 0, message: other })).toBe(false)
    const log = logOf(
      1,
      Array.from({ length: 70 }, () => 1),
    )
    for (const entry of log) kept.add(entry)
    expect(log.some((entry) => kept.contradicts(entry))).toBe(false)
    const contradicted = log.filter(({ seq }) => kept.contradicts({ seq, message: other }))
    // The ninth is the same by chance, and of the first six nothing is known any more.
    expect(contradicted.map(({ seq }) => seq)).toEqual(
      Array.from({ length: 61 }, (_, i) => i + 10)
        .concat([7, 8])
        .sort((a, b) => a - b),
    )
    expect(kept.contradicts({ seq: 71, message: other })).toBe(false)
  })
})
