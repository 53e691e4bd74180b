import { Secret } from '@conclave/core/crypto/secret'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memorySessionStore, SessionError } from '../../src/index.ts'
import type { KeptNext } from '../../src/session/keptNext.ts'
import { type KeptMembership, type KeptPlace, PlaceStore } from '../../src/session/keptPlace.ts'
import { Gathering } from './support/people.ts'

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
      tree,
      pending: pending && { ...pending, commit: new Secret(pending.commit.slice()) },
    },
  }
}

/** Some place and membership. */
function sample(): Parameters<typeof secretly> {
  const [drawn] = fc.sample(fc.tuple(anyPlace, memberships), 1)
  if (drawn === undefined) throw new Error('no sample')
  return drawn
}

function openly(found: KeptMembership | undefined) {
  if (found === undefined) return undefined
  const { seq, removals, group, pending } = found
  expect(found.tree.encoded()).toEqual(tree.encoded())
  const { commitHash, commit } = pending ?? {}
  return {
    seq,
    removals,
    group: group.expose(),
    pending: pending && { commitHash, commit: commit?.expose() },
  }
}

const clock = { now: () => 1234.5 }
const { tree } = (await Gathering.of(3)).group(0).public

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
    const [place, membership] = sample()
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

describe('of a tree', () => {
  it('only what a commit has changed is written again, and what is gone is deleted', async () => {
    const gathering = await Gathering.of(20)
    const before = gathering.group(0).public.tree
    const pending = await gathering.group(0).commit()
    const after = gathering.group(0).confirm(pending).public.tree
    const written: string[][] = []
    const store = memorySessionStore()
    const places = new PlaceStore(
      {
        ...store,
        write: (changes) => {
          written.push([...changes].map(([key, value]) => (value ? key : `no ${key}`)).sort())
          return store.write(changes)
        },
      },
      clock,
    )
    const { place, membership } = secretly(...sample())
    for (const next of [before, after, tree]) {
      await places.keep(place, { ...membership, tree: next })
      expect((await places.membership())?.tree.encoded()).toEqual(next.encoded())
    }
    await places.keep(place, undefined)
    expect(written).toEqual([
      ['membership', 'place', 'tree/0', 'tree/1', 'tree/2', 'tree/3'],
      ['membership', 'place', 'tree/0'],
      ['membership', 'no tree/1', 'no tree/2', 'no tree/3', 'place', 'tree/0'],
      ['no membership', 'no tree/0', 'place'],
    ])
  })

  it('all is written again after a write that failed', async () => {
    let full = true
    const store = memorySessionStore()
    const places = new PlaceStore(
      {
        ...store,
        write: async (changes) => {
          if (full) throw new SessionError('store-unavailable', 'the disk is full')
          await store.write(changes)
        },
      },
      clock,
    )
    const { place, membership } = secretly(...sample())
    await expect(places.keep(place, membership)).rejects.toMatchObject({
      code: 'store-unavailable',
    })
    full = false
    await places.keep(place, membership)
    expect((await places.membership())?.tree.encoded()).toEqual(tree.encoded())
  })

  it('nothing is missing where a write fails while the next one is under way', async () => {
    const gathering = await Gathering.of(20)
    const before = gathering.group(0).public.tree
    const pending = await gathering.group(0).commit()
    const after = gathering.group(0).confirm(pending).public.tree
    const store = memorySessionStore()
    const failing = Promise.withResolvers<void>()
    let writes = 0
    const places = new PlaceStore(
      {
        ...store,
        write: (changes) => {
          writes += 1
          return writes === 2 ? failing.promise : store.write(changes)
        },
      },
      clock,
    )
    const { place, membership } = secretly(...sample())
    await places.keep(place, { ...membership, tree: before })
    const lost = places.keep(place, { ...membership, tree: after })
    const written = places.keep(place, { ...membership, tree: after })
    failing.reject(new SessionError('store-unavailable', 'the disk is full'))
    await expect(lost).rejects.toMatchObject({ code: 'store-unavailable' })
    await written
    expect((await places.membership())?.tree.encoded()).toEqual(after.encoded())
  })
})

describe('what lets us into the next group', () => {
  const next = (groupId: Uint8Array<ArrayBuffer>, founded?: KeptNext['founded']): KeptNext => ({
    groupId,
    nextId: new Uint8Array(16).fill(2),
    cipherSuite: 3,
    signatureKey: new Secret(new Uint8Array(32).fill(3)),
    keyPackage: new Secret(new Uint8Array(200).fill(4)),
    founded,
  })

  it('is found again as it was', async () => {
    const store = memorySessionStore()
    const kept = new PlaceStore(store, clock)
    const groupInfo = new Uint8Array(20).fill(5)
    const ratchetTree = new Uint8Array(30).fill(6)
    const group = new Secret(new Uint8Array(40).fill(7))
    for (const founded of [
      undefined,
      { groupInfo, ratchetTree, welcome: undefined, group },
      { groupInfo, ratchetTree, welcome: new Uint8Array(50).fill(8), group },
    ]) {
      const value = next(new Uint8Array(16).fill(1), founded)
      await kept.keepNext(value)
      const found = await new PlaceStore(store, clock).next()
      expect(found).toEqual({ ...value, version: 1 })
      expect(found?.signatureKey.expose()).toEqual(value.signatureKey.expose())
      expect(found?.keyPackage.expose()).toEqual(value.keyPackage.expose())
      expect(found?.founded?.group.expose()).toEqual(founded?.group.expose())
    }
  })

  it('goes in one write with the group that it continues, and stays as long as that', async () => {
    const store = memorySessionStore()
    const kept = new PlaceStore(store, clock)
    const { place, membership } = secretly(...sample())
    const groupId = new Uint8Array(16).fill(1)
    await kept.keep({ ...place, groupId }, membership)
    await kept.keepNext(next(groupId))
    await kept.keep({ ...place, groupId }, membership)
    expect(await store.keys('next')).toEqual(['next'])
    // Another process goes on.
    const later = new PlaceStore(store, clock)
    await later.next()
    await later.keep({ ...place, groupId: new Uint8Array(16).fill(2) }, undefined)
    expect(await store.keys('next')).toEqual([])
  })

  it('goes with the next write where it cannot be read', async () => {
    const store = memorySessionStore()
    await store.write(new Map([['next', new Uint8Array(3)]]))
    const kept = new PlaceStore(store, clock)
    await expect(kept.next()).rejects.toMatchObject({ code: 'store-corrupted' })
    const { place } = secretly(...sample())
    await kept.keep({ ...place, groupId: new Uint8Array(0) }, undefined)
    expect(await store.keys('next')).toEqual([])
  })
})
