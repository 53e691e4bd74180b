import { type Clock, ConclaveError } from '@conclave/core'
import {
  type Bytes,
  type Codec,
  decode,
  emptyBytes,
  encode,
  equalBytes,
  type Infer,
  oneOf,
  opaque,
  optional,
  struct,
  uint8,
  uint16,
  uint64,
} from '@conclave/core/codec'
import { secretOpaque } from '@conclave/core/crypto/secret'
import { RemovalLedgerState } from '@conclave/core/delivery'
import { PublicTree } from '@conclave/core/mls/treesync'
import { KeptNext } from './keptNext.ts'
import { SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'

/*
 * struct {
 *     uint8 version = 1;
 *     uint64 kept_at;                 // milliseconds since the Unix epoch
 *     opaque group_id<V>;
 *     optional<uint64> epoch;         // the newest that we have been in
 *     opaque signature_key<V>;        // private
 * } Place;
 */
const Place = struct({
  version: oneOf(uint8, [1]),
  keptAt: uint64,
  groupId: opaque(256),
  epoch: optional(uint64),
  signatureKey: secretOpaque,
})

/*
 * struct {
 *     opaque commit_hash<V>;
 *     opaque commit<V>;               // PendingCommit.encodeState
 * } Pending;
 *
 * struct {
 *     uint8 version = 1;
 *     uint64 seq;
 *     RemovalLedgerState removals;
 *     opaque group<V>;                // Group.encodeState without the tree
 *     uint16 tree_pages;              // PublicTree.paged: entries of their own
 *     opaque tree_spine<V>;
 *     optional<Pending> pending;
 * } Membership;
 */
const Membership = struct({
  version: oneOf(uint8, [1]),
  seq: uint64,
  removals: RemovalLedgerState,
  group: secretOpaque,
  treePages: uint16,
  treeSpine: opaque(),
  pending: optional(struct({ commitHash: opaque(), commit: secretOpaque })),
})

/** What a member knows of its group after an entry of the log. Its `Secret`s are its owner's to wipe. */
export type KeptMembership = Omit<
  Infer<typeof Membership>,
  'version' | 'treePages' | 'treeSpine'
> & {
  readonly tree: PublicTree
}

/** Which leaf we have in a group. */
export type KeptPlace = Omit<Infer<typeof Place>, 'version' | 'keptAt'>

const placeKey = 'place'
const membershipKey = 'membership'
const nextKey = 'next'
const pageKey = (index: number) => `tree/${index}`

/**
 * Our place in a meeting's group as one slot of the device keeps it, so that it outlasts the process.
 * Every change is one write.
 */
export class PlaceStore {
  readonly #store: SessionStore
  readonly #clock: Pick<Clock, 'now'>
  /** The tree's pages as the newest write that has come through has them. */
  #pages: readonly object[] = []
  /** The group of which a next place is kept; undefined where none is. */
  #continued: Bytes | 'unreadable' | undefined

  constructor(store: SessionStore, clock: Pick<Clock, 'now'>) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * The place, if there is one that can be read.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  async place(): Promise<KeptPlace | undefined> {
    return await this.#read(placeKey, Place)
  }

  /** @throws SessionError `store-corrupted`, `store-unavailable` */
  async membership(): Promise<KeptMembership | undefined> {
    const kept = await this.#read(membershipKey, Membership)
    if (kept === undefined) return undefined
    const { treePages, treeSpine, ...membership } = kept
    try {
      const pages = await Promise.all(
        Array.from({ length: treePages }, (_, i) => this.#store.read(pageKey(i))),
      )
      const present = pages.filter((page) => page !== undefined)
      return { ...membership, tree: readable(() => PublicTree.fromPages(present, treeSpine)) }
    } catch (error) {
      wipeMembership(membership)
      throw error
    }
  }

  /**
   * What lets us into the group that continues that of the place, where there is one that can be read.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  async next(): Promise<KeptNext | undefined> {
    // Then it goes with the next state.
    this.#continued = 'unreadable'
    const kept = await this.#read(nextKey, KeptNext)
    this.#continued = kept?.groupId
    return kept
  }

  /** @throws SessionError `store-unavailable` */
  async keepNext(next: KeptNext): Promise<void> {
    const entry = encode(KeptNext, { ...next, version: 1 })
    this.#continued = next.groupId
    const written = this.#store.write(new Map([[nextKey, entry]]))
    entry.fill(0)
    await written
  }

  /**
   * Of the tree only those pages are written that have changed: a commit changes its path.
   * What was to let us into the next group goes with the one that it continues.
   * @param membership what was kept of it before is deleted where there is none
   * @throws SessionError `store-unavailable`
   */
  async keep(place: KeptPlace, membership: KeptMembership | undefined): Promise<void> {
    const keptAt = BigInt(Math.floor(this.#clock.now()))
    const entries = new Map<string, Bytes | undefined>()
    const before = this.#pages
    const { pages, spine } = membership?.tree.paged() ?? { pages: [], spine: () => emptyBytes }
    pages.forEach((page, i) => {
      if (before[i] !== page.nodes) entries.set(pageKey(i), page.encoded())
    })
    before.slice(pages.length).forEach((_, i) => {
      entries.set(pageKey(pages.length + i), undefined)
    })
    entries.set(placeKey, encode(Place, { ...place, version: 1, keptAt }))
    const tree = { treePages: pages.length, treeSpine: spine() }
    entries.set(
      membershipKey,
      membership && encode(Membership, { ...membership, ...tree, version: 1 }),
    )
    const continued = this.#continued
    const isOfThis = typeof continued === 'object' && equalBytes(continued, place.groupId)
    if (continued !== undefined && !isOfThis) {
      entries.set(nextKey, undefined)
      this.#continued = undefined
    }
    const written = this.#store.write(entries)
    for (const entry of entries.values()) entry?.fill(0)
    try {
      await written
      this.#pages = pages.map(({ nodes }) => nodes)
    } catch (error) {
      // Next time all of it.
      this.#pages = []
      this.#continued = continued
      throw error
    }
  }

  /**
   * When it was kept last, in milliseconds since the Unix epoch; undefined where there is none.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  async keptAt(): Promise<number | undefined> {
    const place = await this.#read(placeKey, Place)
    place?.signatureKey.wipe()
    return place && Number(place.keptAt)
  }

  async #read<T>(key: string, codec: Codec<T>): Promise<T | undefined> {
    const entry = await this.#store.read(key)
    if (entry === undefined) return undefined
    try {
      return readable(() => decode(codec, entry))
    } finally {
      entry.fill(0)
    }
  }
}

/** @throws SessionError `store-corrupted` */
function readable<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof ConclaveError)) throw cause
    throw new SessionError('store-corrupted', 'what is stored of a meeting cannot be read', {
      cause,
    })
  }
}

export function wipePlace({ signatureKey }: KeptPlace): void {
  signatureKey.wipe()
}

export function wipeMembership({
  group,
  pending,
}: Pick<KeptMembership, 'group' | 'pending'>): void {
  group.wipe()
  pending?.commit.wipe()
}
