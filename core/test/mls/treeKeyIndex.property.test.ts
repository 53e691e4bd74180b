import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { equalBytes, toHex } from '../../src/codec/bytes.ts'
import { KeyIndex } from '../../src/mls/treesync/keyIndex.ts'
import { bytesOf } from './treeModel.ts'

interface Entry {
  readonly key: Uint8Array<ArrayBuffer>
}

/** Few different keys, of which many begin alike, as those do that somebody chose for it. */
const keys = fc
  .tuple(fc.constantFrom('', '04', `04${'00'.repeat(40)}`), fc.integer({ min: 0, max: 150 }))
  .map(([prefix, end]) => bytesOf(`${prefix}${end.toString(16).padStart(2, '0')}`))

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('with' as const), key: keys }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('without' as const), nth: fc.nat() }) },
  ),
  { size: 'max', maxLength: 600 },
)

function isOrdered(entries: readonly Entry[]): boolean {
  return entries.every((entry, i) => {
    const before = entries[i - 1]
    return before === undefined || Buffer.compare(before.key, entry.key) <= 0
  })
}

describe('an index of keys', () => {
  it('holds after any changes what a plain list holds', () => {
    fc.assert(
      fc.property(fc.array(keys, { maxLength: 300 }), steps, (first, changes) => {
        const model: Entry[] = first.map((key) => ({ key }))
        let index = KeyIndex.of((entry: Entry) => entry.key, model)
        for (const change of changes) {
          if (change.kind === 'with') {
            const entry = { key: change.key }
            model.push(entry)
            index = index.with(entry)
          } else if (model.length > 0) {
            const [entry] = model.splice(change.nth % model.length, 1)
            index = index.without(entry as Entry)
          }
        }
        const held = [...index]
        expect(isOrdered(held)).toBe(true)
        expect(new Set(held)).toEqual(new Set(model))
        expect(held).toHaveLength(model.length)
        const different = new Set(model.map(({ key }) => toHex(key)))
        expect(index.duplicates).toBe(model.length - different.size)
        for (const { key } of model) {
          expect(equalBytes(index.find(key)?.key ?? bytesOf(''), key)).toBe(true)
        }
        expect(index.find(bytesOf('ff'.repeat(3)))).toBeUndefined()
      }),
      { numRuns: 200 },
    )
  })

  it('is not changed by what comes of it', () => {
    const entries = Array.from({ length: 100 }, (_, i) => ({ key: Uint8Array.of(i) }))
    const index = KeyIndex.of((entry: Entry) => entry.key, entries)
    const [first] = entries
    index.with({ key: Uint8Array.of(5) })
    index.without(first as Entry)
    expect([...index]).toEqual(entries)
    expect(index.duplicates).toBe(0)
  })

  it('keeps the other entry of a key when one of them goes', () => {
    const twins = Array.from({ length: 200 }, () => ({ key: Uint8Array.of(7) }))
    const index = KeyIndex.of((entry: Entry) => entry.key, twins)
    expect(index.duplicates).toBe(199)
    const last = twins.at(-1) as Entry
    const left = twins.slice(0, -1).reduce((rest, entry) => rest.without(entry), index)
    expect([...left]).toEqual([last])
    expect(left.duplicates).toBe(0)
  })
})
