import { Secret } from '@conclave/core/crypto/secret'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memorySessionStore } from '../../src/index.ts'
import { type KeptMembership, type KeptPlace, PlaceStore } from '../../src/session/keptPlace.ts'

const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => new Uint8Array(value))
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })

const anyPlace = fc.record({
  groupId: bytes,
  epoch: fc.option(uint64, { nil: undefined }),
  signatureKey: bytes,
})
const memberships = fc.record({
  seq: uint64,
  removals: fc.record({
    thisEpoch: fc.array(fc.record({ seq: uint64, leaf: uint32 }), { maxLength: 5 }),
    overdue: fc.array(uint32, { maxLength: 5 }),
  }),
  group: bytes,
  pending: fc.option(fc.record({ commitHash: bytes, commit: bytes }), { nil: undefined }),
})

function secretly(
  place: typeof anyPlace extends fc.Arbitrary<infer T> ? T : never,
  membership: typeof memberships extends fc.Arbitrary<infer T> ? T : never,
): { readonly place: KeptPlace; readonly membership: KeptMembership } {
  const { pending } = membership
  return {
    place: { ...place, signatureKey: new Secret(place.signatureKey.slice()) },
    membership: {
      ...membership,
      group: new Secret(membership.group.slice()),
      pending: pending && { ...pending, commit: new Secret(pending.commit.slice()) },
    },
  }
}

function openly(found: KeptMembership | undefined) {
  if (found === undefined) return undefined
  const { seq, removals, group, pending } = found
  const { commitHash, commit } = pending ?? {}
  return {
    seq,
    removals,
    group: group.expose(),
    pending: pending && { commitHash, commit: commit?.expose() },
  }
}

const clock = { now: () => 1234.5 }

describe('what is kept of a place', () => {
  it('is found again as it was', async () => {
    await fc.assert(
      fc.asyncProperty(anyPlace, memberships, async (place, membership) => {
        const store = memorySessionStore()
        const secret = secretly(place, membership)
        await new PlaceStore(store, clock).keep(secret.place, secret.membership)
        const places = new PlaceStore(store, clock)
        const found = await places.place()
        expect(found).toMatchObject({ groupId: place.groupId, epoch: place.epoch })
        expect(found?.signatureKey.expose()).toEqual(place.signatureKey)
        expect(openly(await places.membership())).toEqual(membership)
        expect(await places.keptAt()).toBe(1234)
      }),
    )
  })

  it('says what is left of it where the state is gone', async () => {
    const store = memorySessionStore()
    const places = new PlaceStore(store, clock)
    const [place] = fc.sample(anyPlace, 1)
    const [membership] = fc.sample(memberships, 1)
    if (place === undefined || membership === undefined) throw new Error('no sample')
    const secret = secretly(place, membership)
    await places.keep(secret.place, secret.membership)
    await places.keep(secret.place, undefined)
    expect(await places.membership()).toBeUndefined()
    expect(await places.place()).toMatchObject({ groupId: place.groupId })
  })

  it('is nothing before anything was kept', async () => {
    const places = new PlaceStore(memorySessionStore(), clock)
    expect(await places.place()).toBeUndefined()
    expect(await places.membership()).toBeUndefined()
    expect(await places.keptAt()).toBeUndefined()
  })

  it('is refused where it is cut off or of another version', async () => {
    await fc.assert(
      fc.asyncProperty(anyPlace, memberships, fc.nat(), async (place, membership, lot) => {
        const store = memorySessionStore()
        const kept = new PlaceStore(store, clock)
        const secret = secretly(place, membership)
        await kept.keep(secret.place, secret.membership)
        for (const key of ['place', 'membership']) {
          const entry = await store.read(key)
          if (entry === undefined) throw new Error(`no ${key}`)
          await store.write(new Map([[key, entry.subarray(0, lot % entry.length)]]))
        }
        await expect(kept.place()).rejects.toMatchObject({ code: 'store-corrupted' })
        await expect(kept.membership()).rejects.toMatchObject({ code: 'store-corrupted' })
        await expect(kept.keptAt()).rejects.toMatchObject({ code: 'store-corrupted' })
        await store.write(new Map([['place', Uint8Array.of(2)]]))
        await expect(kept.place()).rejects.toMatchObject({ code: 'store-corrupted' })
      }),
    )
  })
})
