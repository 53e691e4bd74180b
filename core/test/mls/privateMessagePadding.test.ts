import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noPadding, type Padding, padme, padToMultipleOf } from '../../src/mls/treedem/padding.ts'
import { PrivateGroup, text } from './privateGroup.ts'
import { refusal } from './refusals.ts'

const [alice, bob] = [0, 1]

describe('a padding policy', () => {
  it.each<[string, Padding]>([
    ['none', noPadding],
    ['multiples', padToMultipleOf(256)],
    ['Padmé', padme],
    ['one of the application', () => 1000],
  ])('lets messages open: %s', async (_, padding) => {
    const group = await PrivateGroup.create()
    for (const words of ['', 'short', 'long '.repeat(500)]) {
      const message = await group.send(alice, text(words), padding)
      expect(await group.receive(bob, message)).toMatchObject(text(words))
    }
  })

  it('of multiples hides how long a content is', async () => {
    const group = await PrivateGroup.create()
    const lengths = new Set<number>()
    for (const words of ['', 'a', 'somewhat longer', 'x'.repeat(100)]) {
      const message = await group.send(alice, text(words), padToMultipleOf(256))
      lengths.add(message.ciphertext.length)
    }
    expect(lengths).toEqual(new Set([256 + 16]))
  })

  it('pads to the next multiple and never by a whole one', () => {
    const padding = padToMultipleOf(64)
    expect([0, 1, 63, 64, 65, 128].map(padding)).toEqual([0, 63, 1, 0, 63, 0])
    expect([0, 1, 17].map(padToMultipleOf(1))).toEqual([0, 0, 0])
  })

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'of multiples of %d is the caller’s mistake',
    (size) => {
      expect(() => padToMultipleOf(size)).toThrow(refusal('message-padding-invalid'))
    },
  )

  it('of Padmé keeps the leading bits of a length: at most 12 % more, few lengths', () => {
    // Appendix of the PURBs paper: 9 → 10, 17 → 18, 2^20 + 1 → 2^20 + 2^15.
    expect([0, 1, 8, 9, 17, 2 ** 20, 2 ** 20 + 1].map((n) => n + padme(n))).toEqual([
      0,
      1,
      8,
      10,
      18,
      2 ** 20,
      2 ** 20 + 2 ** 15,
    ])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 - 1 }), (length) => {
        const padded = length + padme(length)
        expect(padded).toBeGreaterThanOrEqual(length)
        expect(padded).toBeLessThanOrEqual(Math.ceil(length * 1.12))
        expect(padme(padded)).toBe(0)
      }),
    )
    const lengths = Array.from({ length: 100_000 }, (_, i) => i + padme(i))
    expect(new Set(lengths).size).toBeLessThan(250)
  })

  it.each([Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY, 2 ** 30, 2 ** 53])(
    'that says %d bytes is refused before a generation is used up',
    async (length) => {
      const group = await PrivateGroup.create()
      const before = group.state(alice)
      await expect(group.send(alice, text('x'), () => length)).rejects.toEqual(
        refusal('message-padding-invalid'),
      )
      expect(group.state(alice)).toEqual(before)
    },
  )
})
