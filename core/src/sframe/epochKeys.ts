import type { Secret } from '../crypto/secret/secret.ts'
import type { FrameAead } from './aead.ts'
import { deriveSecret, SFrameKey } from './cipher.ts'
import type { SFrameCipherSuite } from './cipherSuite.ts'
import type { KeyUsage } from './keyUsage.ts'
import {
  encodeContext,
  encodeKid,
  type FrameSender,
  type KidLayout,
  type MediaSource,
} from './mlsKeys.ts'
import { SendCounter } from './sendCounter.ts'

/**
 * How many incarnations of one sender and source keep a key within an epoch. When another one
 * authenticates, the lowest is refused from then on: its replay window goes with its key.
 */
export const MAX_INCARNATIONS = 8

/** What an epoch brings: the exporter's output and who is in the group. */
export interface EpochInstall {
  readonly epoch: bigint
  /** `AEAD.Nk` bytes of MLS-Exporter output; wiped by whoever takes this over. */
  readonly baseKey: Uint8Array
  readonly ownLeaf: number
  /** Every occupied leaf, one's own included. */
  readonly leaves: readonly number[]
  /** Leaves whose member left with this epoch, also where another member took the place. */
  readonly removedLeaves: readonly number[]
  /** This process's incarnation: never used before by this leaf in this epoch. */
  readonly incarnation: number
  /**
   * For the first epoch of a group that takes the place of another: whose leaf there is which here.
   * Epochs count anew, and the leaves that are missing have left.
   */
  readonly continues?: ReadonlyMap<number, number>
  /** Whether the next epoch will be another group's: what KIDs show may be of that. */
  readonly isLast?: boolean
}

/** A key to send with, the counters that are left of it and how much it has encrypted. */
export interface SendingKey {
  readonly epoch: bigint
  readonly key: SFrameKey
  readonly counter: SendCounter
  readonly usage: KeyUsage
}

export type EpochKeyRefusal =
  | 'own-frame'
  | 'removed-sender'
  | 'unknown-sender'
  | 'stale-incarnation'

/**
 * A key to receive with. `authenticated` says that a frame opened under it: only then is the key
 * kept. It returns the one key object that stands for this sender, on which replay state hangs, or
 * `undefined` where the key was withdrawn in the meantime.
 */
export interface ReceivingKey {
  readonly ok: true
  readonly epoch: bigint
  readonly key: SFrameKey
  /** Whether a frame of this leaf has opened in this epoch, of whatever source. */
  readonly isLeafProven: () => boolean
  authenticated(): SFrameKey | undefined
}

/** The keys of one leaf and purpose, by incarnation. */
interface SenderKeys {
  readonly authenticated: Map<number, SFrameKey>
  candidate: { readonly incarnation: number; readonly key: SFrameKey } | undefined
  lowestIncarnation: number
}

/** The keys of one epoch, derived when they are first needed. */
export class EpochKeys {
  readonly epoch: bigint
  readonly #suite: SFrameCipherSuite
  readonly #aead: FrameAead
  readonly #layout: KidLayout
  readonly #secret: Secret
  readonly #ownLeaf: number
  readonly #incarnation: number
  readonly #newUsage: () => KeyUsage
  readonly #leaves: Set<number>
  readonly #removed: Set<number>
  /** Leaves of which a frame has opened: they have the same base key as we. */
  readonly #proven = new Set<number>()
  /** By leaf, and by what its keys are for. */
  readonly #receiving = new Map<number, Map<string, SenderKeys>>()
  readonly #sending = new Map<string, SendingKey>()

  constructor(
    suite: SFrameCipherSuite,
    aead: FrameAead,
    layout: KidLayout,
    install: Omit<EpochInstall, 'removedLeaves'>,
    removed: Iterable<number>,
    newUsage: () => KeyUsage,
  ) {
    this.#suite = suite
    this.#aead = aead
    this.#layout = layout
    this.epoch = install.epoch
    this.#secret = deriveSecret(suite, install.baseKey)
    this.#ownLeaf = install.ownLeaf
    this.#incarnation = install.incarnation
    this.#newUsage = newUsage
    this.#leaves = new Set(install.leaves)
    this.#removed = new Set(removed)
  }

  get leaves(): ReadonlySet<number> {
    return this.#leaves
  }

  receivingKey(sender: FrameSender): ReceivingKey | { ok: false; reason: EpochKeyRefusal } {
    const { leaf, incarnation } = sender
    if (leaf === this.#ownLeaf) return { ok: false, reason: 'own-frame' }
    if (!this.#leaves.has(leaf)) {
      return { ok: false, reason: this.#removed.has(leaf) ? 'removed-sender' : 'unknown-sender' }
    }
    const keys = this.#keysOf(sender)
    if (incarnation < keys.lowestIncarnation) return { ok: false, reason: 'stale-incarnation' }

    let key = keys.authenticated.get(incarnation)
    if (key === undefined) {
      if (keys.candidate?.incarnation !== incarnation) {
        keys.candidate = { incarnation, key: this.#derive(sender) }
      }
      key = keys.candidate.key
    }
    const found = key
    return {
      ok: true,
      epoch: this.epoch,
      key: found,
      isLeafProven: () => this.#proven.has(leaf),
      authenticated: () => {
        const kept = this.#keep(sender, found)
        if (kept !== undefined) this.#proven.add(leaf)
        return kept
      },
    }
  }

  /**
   * One key and one run of counters per source and kind of frame, however many transforms send it;
   * `undefined` once wiped.
   */
  sendingKey(source: MediaSource, isListed: boolean): SendingKey | undefined {
    if (this.#secret.wiped) return undefined
    const purpose = purposeOf({ source, isListed })
    let sending = this.#sending.get(purpose)
    if (sending === undefined) {
      const sender = { leaf: this.#ownLeaf, source, incarnation: this.#incarnation, isListed }
      sending = {
        epoch: this.epoch,
        key: this.#derive(sender),
        counter: new SendCounter(),
        usage: this.#newUsage(),
      }
      this.#sending.set(purpose, sending)
    }
    return sending
  }

  /** Refuses a leaf's frames from now on and forgets its keys. */
  removeLeaf(leaf: number): void {
    if (!this.#leaves.delete(leaf)) return
    this.#removed.add(leaf)
    for (const keys of this.#receiving.get(leaf)?.values() ?? []) wipeSender(keys)
    this.#receiving.delete(leaf)
  }

  wipe(): void {
    this.#secret.wipe()
    this.#leaves.clear()
    for (const purposes of this.#receiving.values()) {
      for (const keys of purposes.values()) wipeSender(keys)
    }
    for (const { key } of this.#sending.values()) key.wipe()
    this.#receiving.clear()
    this.#sending.clear()
  }

  #keysOf(sender: FrameSender): SenderKeys {
    let purposes = this.#receiving.get(sender.leaf)
    if (purposes === undefined) {
      purposes = new Map()
      this.#receiving.set(sender.leaf, purposes)
    }
    const purpose = purposeOf(sender)
    let keys = purposes.get(purpose)
    if (keys === undefined) {
      keys = { authenticated: new Map(), candidate: undefined, lowestIncarnation: 0 }
      purposes.set(purpose, keys)
    }
    return keys
  }

  #keep(sender: FrameSender, key: SFrameKey): SFrameKey | undefined {
    const { leaf, incarnation } = sender
    const keys = this.#receiving.get(leaf)?.get(purposeOf(sender))
    if (keys === undefined || incarnation < keys.lowestIncarnation) return undefined
    const kept = keys.authenticated.get(incarnation)
    if (kept !== undefined) return kept
    keys.authenticated.set(incarnation, key)
    if (keys.candidate?.key === key) keys.candidate = undefined
    if (keys.authenticated.size > MAX_INCARNATIONS) {
      const lowest = Math.min(...keys.authenticated.keys())
      keys.authenticated.get(lowest)?.wipe()
      keys.authenticated.delete(lowest)
      keys.lowestIncarnation = lowest + 1
    }
    return keys.authenticated.get(incarnation)
  }

  #derive(sender: FrameSender): SFrameKey {
    const context = encodeContext(sender)
    const kid = encodeKid(this.#layout, { context, leaf: sender.leaf, epoch: this.epoch })
    return new SFrameKey(this.#suite, this.#aead, this.#secret, kid)
  }
}

function wipeSender(keys: SenderKeys): void {
  keys.candidate?.key.wipe()
  for (const key of keys.authenticated.values()) key.wipe()
}

/** What keys of one leaf and incarnation are told apart by. */
function purposeOf({ source, isListed }: Pick<FrameSender, 'source' | 'isListed'>): string {
  return isListed ? `${source}, listed` : source
}
