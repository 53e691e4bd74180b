import { toHex } from '@conclave/core/codec'
import type { KeyPackageStock, Mail } from '@conclave/core/delivery'
import type { ShelvedKeyPackage } from './keyPackageShelf.ts'

/** KeyPackages for one use each that are kept in the directory. */
export const targetStock = 20
/** One that is good for less than this, in milliseconds, is replaced: seven days. */
const renewBeforeMs = 7 * 24 * 60 * 60_000
/** A last resort is replaced after this, in milliseconds, used or not: seven days. */
const lastResortMs = 7 * 24 * 60 * 60_000
/**
 * How long the keys of a last resort outlive its successor's arrival, in milliseconds: whoever has
 * claimed it just before is about to commit.
 */
const retiredMs = 60 * 60_000
/** How long after its end a KeyPackage may have been used by receivers' clocks, in milliseconds. */
const lateMs = 30 * 60_000
/** Private keys that are kept; beyond that a keyserver that never has enough costs the oldest. */
const maxShelved = 200

export interface StockSituation {
  readonly shelved: readonly ShelvedKeyPackage[]
  /** Hexadecimal refs that Welcomes have come for. */
  readonly used: ReadonlySet<string>
  /** What the directory says that it has. */
  readonly stock: KeyPackageStock
  /** The last resort that it has taken from us lately; hexadecimal. */
  readonly published: string | undefined
  /** Milliseconds since the Unix epoch. */
  readonly now: number
}

export interface StockPlan {
  /** How many to make. */
  readonly singleUse: number
  /** Whether to make a new last resort. */
  readonly renewed: boolean
  /** The one to publish again, where none is made and the directory may not have it. */
  readonly lastResort: ShelvedKeyPackage | undefined
  readonly nothing: boolean
}

/** What to publish, so that nobody finds this device without a KeyPackage. */
export function stockPlan({ shelved, used, stock, published, now }: StockSituation): StockPlan {
  const lasting = shelved.filter((k) => !k.lastResort && k.expiresAt - now >= renewBeforeMs)
  const singleUse = Math.max(0, targetStock - Math.min(stock.remaining, lasting.length))
  const current = currentLastResort(shelved)
  const aged = current === undefined || now - current.madeAt >= lastResortMs
  // With nothing else left it was probably handed out, though no Welcome has come yet.
  const handedOut = stock.remaining === 0 && stock.lastResort && current?.ref === published
  const renewed = aged || used.has(current.ref) || handedOut
  const known = stock.lastResort && current?.ref === published
  const lastResort = renewed || known ? undefined : current
  return {
    singleUse,
    renewed,
    lastResort,
    nothing: singleUse === 0 && !renewed && lastResort === undefined,
  }
}

/** Those whose private keys are not needed any more, as hexadecimal refs. */
export function outdated(
  shelved: readonly ShelvedKeyPackage[],
  mail: readonly Mail[],
  now: number,
): readonly string[] {
  const waiting = new Set(mail.map(({ ref }) => toHex(ref)))
  const current = currentLastResort(shelved)
  const over = shelved.filter((each) => {
    const retired = each.lastResort && each !== current && now - (current?.madeAt ?? 0) >= retiredMs
    return now >= each.expiresAt + lateMs || (retired && !waiting.has(each.ref))
  })
  const kept = shelved.filter((each) => !over.includes(each))
  const excess = kept.toSorted((a, b) => b.madeAt - a.madeAt).slice(maxShelved)
  return [...over, ...excess].map(({ ref }) => ref)
}

function currentLastResort(shelved: readonly ShelvedKeyPackage[]): ShelvedKeyPackage | undefined {
  return shelved
    .filter(({ lastResort }) => lastResort)
    .toSorted((a, b) => b.madeAt - a.madeAt || (a.ref < b.ref ? -1 : 1))[0]
}
