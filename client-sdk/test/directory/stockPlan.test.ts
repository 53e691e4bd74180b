import { emptyBytes, fromHex } from '@conclave/core/codec'
import type { Mail } from '@conclave/core/delivery'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ShelvedKeyPackage } from '../../src/directory/keyPackageShelf.ts'
import { outdated, stockPlan, targetStock } from '../../src/directory/stockPlan.ts'

const hour = 60 * 60_000
const day = 24 * hour
const now = 1_700_000_000_000

let made = 0
/** A KeyPackage that was made `ageMs` ago. */
function shelved(ageMs: number, lastResort = false): ShelvedKeyPackage {
  const ref = (made++).toString(16).padStart(64, '0')
  const madeAt = now - ageMs
  return { ref, lastResort, madeAt, expiresAt: madeAt + 30 * day, encoded: emptyBytes }
}

function singles(count: number, ageMs = 0): ShelvedKeyPackage[] {
  return Array.from({ length: count }, () => shelved(ageMs))
}

function mailFor({ ref }: ShelvedKeyPackage): Mail {
  return { meetingId: 'm', groupId: emptyBytes, ref: fromHex(ref), welcome: emptyBytes, seq: 1 }
}

const nobody: ReadonlySet<string> = new Set()

describe('what is published', () => {
  it('is everything where nothing is', () => {
    const stock = { remaining: 0, lastResort: false }
    expect(stockPlan({ shelved: [], used: nobody, stock, published: undefined, now })).toEqual({
      singleUse: targetStock,
      renewed: true,
      lastResort: undefined,
      nothing: false,
    })
  })

  it('is nothing more once a plan has been carried out', () => {
    const age = fc.integer({ min: 0, max: 40 * 24 }).map((hours) => hours * hour)
    fc.assert(
      fc.property(
        fc.array(age, { maxLength: 60 }),
        fc.array(age, { maxLength: 4 }),
        fc.nat(100),
        fc.boolean(),
        (ages, lastResortAges, remaining, lastResort) => {
          const before = [
            ...ages.map((each) => shelved(each)),
            ...lastResortAges.map((each) => shelved(each, true)),
          ]
          const stock = { remaining, lastResort }
          const plan = stockPlan({
            shelved: before,
            used: nobody,
            stock,
            published: undefined,
            now,
          })
          const renewal = plan.renewed ? [shelved(0, true)] : []
          const after = [...before, ...singles(plan.singleUse), ...renewal]
          const published = renewal[0] ?? plan.lastResort
          const next = stockPlan({
            shelved: after,
            used: nobody,
            stock: { remaining: remaining + plan.singleUse, lastResort: true },
            published: published?.ref,
            now,
          })
          expect(next.nothing).toBe(true)
        },
      ),
    )
  })

  it('makes up for KeyPackages that are about to expire', () => {
    const current = shelved(0, true)
    const old = [...singles(targetStock, 24 * day), current]
    const stock = { remaining: targetStock, lastResort: true }
    const situation = { used: nobody, stock, published: current.ref, now }
    expect(stockPlan({ ...situation, shelved: old }).singleUse).toBe(targetStock)
    const young = [...singles(targetStock, 22 * day), current]
    expect(stockPlan({ ...situation, shelved: young }).nothing).toBe(true)
  })

  it.each<
    [string, { ageMs?: number; used?: boolean; remaining?: number; known?: boolean }, object]
  >([
    ['is a new last resort once a Welcome has come for it', { used: true }, { renewed: true }],
    ['is so also where we have just come', { used: true, known: false }, { renewed: true }],
    ['is a new one when it was the last to be claimed', { remaining: 0 }, { renewed: true }],
    ['is a new one after seven days', { ageMs: 7 * day }, { renewed: true }],
    ['is the old one where the directory may lack it', { known: false }, { renewed: false }],
    ['is no last resort where all is well', {}, { renewed: false, nothing: true }],
  ])('%s', (_, { ageMs = 0, used = false, remaining = targetStock, known = true }, expected) => {
    const current = shelved(ageMs, true)
    const plan = stockPlan({
      shelved: [...singles(targetStock), current],
      used: new Set(used ? [current.ref] : []),
      stock: { remaining, lastResort: true },
      published: known ? current.ref : undefined,
      now,
    })
    expect(plan).toMatchObject(expected)
    expect(plan.lastResort).toBe(known || used ? undefined : current)
  })
})

describe('the private keys that are deleted', () => {
  it('are those of KeyPackages that nobody may use any more', () => {
    const [fresh, ending, over] = [shelved(0), shelved(30 * day), shelved(30 * day + hour)]
    expect(outdated([fresh, ending, over], [], now)).toEqual([over.ref])
  })

  it('are those of a last resort an hour after the next, unless a Welcome waits for it', () => {
    const [before, between] = [shelved(3 * hour, true), shelved(2 * hour, true)]
    const justNow = shelved(hour / 2, true)
    expect(outdated([before, between, justNow], [], now)).toEqual([])
    expect(outdated([before, between], [], now)).toEqual([before.ref])
    expect(outdated([before, between], [mailFor(before)], now)).toEqual([])
  })

  it('are never those of what is needed, nor are there ever more than two hundred', () => {
    const age = fc.integer({ min: 0, max: 29 * 24 }).map((hours) => hours * hour)
    fc.assert(
      fc.property(fc.array(age, { maxLength: 300 }), (ages) => {
        const all = [...ages.map((each) => shelved(each)), shelved(0, true)]
        const deleted = new Set(outdated(all, [], now))
        const kept = all.filter(({ ref }) => !deleted.has(ref))
        expect(kept).toHaveLength(Math.min(200, all.length))
        const oldestKept = Math.min(...kept.map(({ madeAt }) => madeAt))
        const gone = all.filter(({ ref }) => deleted.has(ref))
        expect(gone.every(({ madeAt }) => madeAt <= oldestKept)).toBe(true)
      }),
    )
  })
})
