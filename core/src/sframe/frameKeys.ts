import type { Clock } from '../runtime.ts'
import type { FrameAead } from './aead.ts'
import { AES_128_GCM_SHA256_128, cipherSuite, type SFrameCipherSuite } from './cipherSuite.ts'
import {
  type EpochInstall,
  type EpochKeyRefusal,
  EpochKeys,
  type ReceivingKey,
  type SendingKey,
} from './epochKeys.ts'
import { SFrameError } from './error.ts'
import { KeyUsage } from './keyUsage.ts'
import {
  CONCLAVE_KID_LAYOUT,
  checkLeaf,
  encodeContext,
  encodeKid,
  epochInKid,
  type FrameSender,
  type KidLayout,
  type MediaSource,
} from './mlsKeys.ts'

/** How long a superseded epoch's keys still open frames after a Remove, in milliseconds. */
export const OLD_KEY_LIFE_AFTER_REMOVE_MS = 2_000
/** The same where nobody left. */
export const OLD_KEY_LIFE_MS = 10_000
/** How long after its installation an epoch that removes nobody becomes the one to send under. */
export const SEND_DELAY_MS = 300

/**
 * - `key-not-yet`: the KID names an epoch ahead of every installed one; the key may still come.
 * - `unknown-key`: it names an epoch that is gone or never was here.
 */
export type KeyRefusal = EpochKeyRefusal | 'key-not-yet' | 'unknown-key'

export type KeyLookup = ReceivingKey | { readonly ok: false; readonly reason: KeyRefusal }

/** The seam between frames and keys: all that frame code knows of where keys come from. */
export interface FrameKeySource {
  /** The key of a received frame; `epoch` is what its KID shows, the low-order E bits. */
  keyFor(epoch: number, sender: FrameSender): KeyLookup
  /**
   * The same of the group that ours continues, whose epochs and leaves are other ones.
   * @param sender as the KID names it
   * @param leaf in our group, of whoever is expected
   */
  formerKeyFor?(epoch: number, sender: FrameSender, leaf: number): KeyLookup | undefined
  /**
   * The key to send a source with now; `undefined` before the first epoch.
   * @param isListed whether the frames' digests will be listed
   */
  sendingKey(source: MediaSource, isListed?: boolean): SendingKey | undefined
}

interface Installed {
  readonly keys: EpochKeys
  expiresAt: number
  cancelExpiry: () => void
}

type Epochs = Map<number, Installed>

/** What is left of a group that another one continues. */
interface Former {
  readonly epochs: Epochs
  /** Leaves there, by those that they have become. */
  readonly leaves: ReadonlyMap<number, number>
}

/**
 * Every epoch's keys and their lifetimes. New keys open frames at once; a superseded epoch's live
 * 2 s after a Remove, else 10 s; sending moves to an epoch at once where it removes somebody, else
 * 300 ms after its installation, whatever epochs follow. Where another group continues the one before,
 * sending moves there at once, and what is left of the old one's epochs opens frames as before.
 */
export class FrameKeys implements FrameKeySource {
  readonly suite: SFrameCipherSuite
  readonly #aead: FrameAead
  readonly #clock: Clock
  readonly #layout: KidLayout
  readonly #keyBlocks: number | undefined
  readonly #onWorn: (epoch: bigint) => void
  readonly #onSwitched: () => void
  /** By what a KID shows of the epoch, so that a new epoch evicts the old one of the same bits. */
  #epochs: Epochs = new Map()
  #former: Former | undefined
  /** Whether no epoch follows the newest but those of another group. */
  #isLast = false
  readonly #cancelSwitches = new Set<() => void>()
  #newest: EpochKeys | undefined
  #sending: EpochKeys | undefined
  #closed = false

  /**
   * @param options `keyBlocks`: what one sending key may encrypt, `KEY_BLOCKS` unless told; `onWorn`:
   *   a sending key of this epoch has encrypted three quarters of that; `onSwitched`: sending has moved
   *   to another epoch
   * @throws SFrameError `sframe-unsupported-suite`
   */
  constructor(options: {
    aead: FrameAead
    clock: Clock
    suite?: number
    layout?: KidLayout
    keyBlocks?: number
    onWorn?: (epoch: bigint) => void
    onSwitched?: () => void
  }) {
    this.suite = cipherSuite(options.suite ?? AES_128_GCM_SHA256_128)
    this.#aead = options.aead
    this.#clock = options.clock
    this.#layout = options.layout ?? CONCLAVE_KID_LAYOUT
    this.#keyBlocks = options.keyBlocks
    this.#onWorn = options.onWorn ?? (() => {})
    this.#onSwitched = options.onSwitched ?? (() => {})
  }

  /** The epoch that {@link sendingKey} uses now. */
  get sendingEpoch(): bigint | undefined {
    return this.#sending?.epoch
  }

  /** Whether a newer epoch than {@link sendingEpoch} is installed and not yet sent under. */
  get isSwitching(): boolean {
    return this.#cancelSwitches.size > 0
  }

  /**
   * Takes an epoch over and wipes `install.baseKey`. Leaves of the epoch before that are missing
   * from `install.leaves` count as removed, whether or not `removedLeaves` names them; where a group
   * continues another, those that are missing from `install.continues`.
   *
   * @throws SFrameError, without an effect: `sframe-epoch-not-newer`, `sframe-base-key-length`,
   *   `sframe-leaf-out-of-range`, `sframe-value-out-of-range`, `sframe-keys-closed`
   */
  installEpoch(install: EpochInstall): void {
    this.#check(install)
    const { continues } = install
    const isOther = continues !== undefined
    const removed = new Set(install.removedLeaves)
    const occupied = isOther ? continues : new Set(install.leaves)
    for (const leaf of this.#newest?.leaves ?? []) if (!occupied.has(leaf)) removed.add(leaf)
    this.#supersede(removed)
    if (isOther) {
      this.#leaveGroup(continues)
      removed.clear()
    }

    const bits = epochInKid(this.#layout, install.epoch)
    this.#forget(bits)
    const { epoch } = install
    const newUsage = () =>
      new KeyUsage({ limit: this.#keyBlocks, onWorn: () => this.#onWorn(epoch) })
    const keys = new EpochKeys(this.suite, this.#aead, this.#layout, install, removed, newUsage)
    install.baseKey.fill(0)
    this.#epochs.set(bits, { keys, expiresAt: Number.POSITIVE_INFINITY, cancelExpiry: () => {} })
    this.#newest = keys
    this.#isLast = install.isLast === true
    this.#sendUnder(keys, this.#sending === undefined || removed.size > 0 || isOther)
  }

  keyFor(epoch: number, sender: FrameSender): KeyLookup {
    const installed = this.#epochs.get(epoch)
    if (installed !== undefined && this.#isOver(installed)) this.#forget(epoch)
    else if (installed !== undefined) return installed.keys.receivingKey(sender)
    return { ok: false, reason: this.#isAhead(epoch) ? 'key-not-yet' : 'unknown-key' }
  }

  formerKeyFor(epoch: number, sender: FrameSender, leaf: number): KeyLookup | undefined {
    const former = this.#former
    if (former === undefined || former.leaves.get(leaf) !== sender.leaf) return undefined
    const installed = former.epochs.get(epoch)
    if (installed === undefined || this.#isOver(installed)) return undefined
    return installed.keys.receivingKey(sender)
  }

  sendingKey(source: MediaSource, isListed = false): SendingKey | undefined {
    return this.#sending?.sendingKey(source, isListed)
  }

  /** Wipes everything. No frame is opened or sent any more. */
  close(): void {
    this.#closed = true
    for (const bits of [...this.#epochs.keys()]) this.#forget(bits)
    this.#forgetFormer()
    this.#cancelPendingSwitches()
    this.#newest = undefined
    this.#sending = undefined
  }

  /** The newest epoch has no end, and most frames are of it: they need not ask for the time. */
  #isOver({ expiresAt }: Installed): boolean {
    return expiresAt !== Number.POSITIVE_INFINITY && expiresAt <= this.#clock.now()
  }

  #check(install: EpochInstall): void {
    if (this.#closed) throw new SFrameError('sframe-keys-closed', 'the frame keys were closed')
    const newest = install.continues === undefined ? this.#newest : undefined
    if (newest !== undefined && install.epoch <= newest.epoch) {
      throw new SFrameError(
        'sframe-epoch-not-newer',
        `epoch ${install.epoch} is not newer than ${newest.epoch}`,
      )
    }
    if (install.baseKey.length !== this.suite.nk) {
      throw new SFrameError(
        'sframe-base-key-length',
        `${this.suite.name} takes a base key of ${this.suite.nk} bytes`,
      )
    }
    for (const leaf of install.leaves) checkLeaf(this.#layout, leaf)
    const { incarnation } = install
    const context = encodeContext({ source: 'microphone', incarnation, isListed: false })
    encodeKid(this.#layout, { context, leaf: install.ownLeaf, epoch: install.epoch })
  }

  /** Starts the end of every installed epoch and drops the removed leaves from each. */
  #supersede(removed: ReadonlySet<number>): void {
    const life = removed.size > 0 ? OLD_KEY_LIFE_AFTER_REMOVE_MS : OLD_KEY_LIFE_MS
    const expiresAt = this.#clock.now() + life
    const epochs = this.#epochs
    for (const [bits, installed] of epochs) {
      for (const leaf of removed) installed.keys.removeLeaf(leaf)
      if (expiresAt >= installed.expiresAt) continue
      installed.cancelExpiry()
      installed.expiresAt = expiresAt
      installed.cancelExpiry = this.#clock.setTimer(life, () => this.#forget(bits, epochs))
    }
  }

  /** @param continues leaves of the group that is over, with those that they have become */
  #leaveGroup(continues: ReadonlyMap<number, number>): void {
    this.#forgetFormer()
    const leaves = new Map(Array.from(continues, ([before, after]) => [after, before]))
    this.#former = { epochs: this.#epochs, leaves }
    this.#epochs = new Map()
    this.#newest = undefined
  }

  #forgetFormer(): void {
    const { epochs } = this.#former ?? {}
    for (const bits of [...(epochs?.keys() ?? [])]) this.#forget(bits, epochs)
    this.#former = undefined
  }

  #sendUnder(keys: EpochKeys, atOnce: boolean): void {
    if (atOnce) {
      this.#cancelPendingSwitches()
      this.#switchTo(keys)
      return
    }
    const cancel = this.#clock.setTimer(SEND_DELAY_MS, () => {
      this.#cancelSwitches.delete(cancel)
      if (this.#sending === undefined || keys.epoch > this.#sending.epoch) this.#switchTo(keys)
    })
    this.#cancelSwitches.add(cancel)
  }

  #switchTo(keys: EpochKeys): void {
    this.#sending = keys
    this.#onSwitched()
  }

  #cancelPendingSwitches(): void {
    for (const cancel of this.#cancelSwitches) cancel()
    this.#cancelSwitches.clear()
  }

  #forget(bits: number, epochs = this.#epochs): void {
    const installed = epochs.get(bits)
    if (installed === undefined) return
    installed.cancelExpiry()
    installed.keys.wipe()
    epochs.delete(bits)
    if (this.#newest === installed.keys) this.#newest = undefined
    if (this.#sending === installed.keys) this.#sending = this.#newest
  }

  /** Whether the epoch that `bits` shows lies in the half of the ring ahead of the newest. */
  #isAhead(bits: number): boolean {
    if (this.#closed) return false
    if (this.#newest === undefined || this.#isLast) return true
    const ring = 2 ** this.#layout.epochBits
    const distance = (bits - epochInKid(this.#layout, this.#newest.epoch) + ring) % ring
    return distance > 0 && distance < ring / 2
  }
}
