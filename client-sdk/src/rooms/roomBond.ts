import type { Clock, ConclaveError, RandomBytes } from '@conclave/core'
import { type Bytes, equalBytes, utf8 } from '@conclave/core/codec'
import type { Secret } from '@conclave/core/crypto/secret'
import {
  branchPskId,
  calledHash,
  describedRoomId,
  leavesOutside,
  parentEpochOf,
  type RoomDescription,
  type RoomParent,
  roomPskContext,
  roomPskId,
  roomPskLabel,
} from '@conclave/core/meeting'
import type { CommitEffect, Group, GroupEnvironment } from '@conclave/core/mls/group'
import type { PublicGroup } from '@conclave/core/mls/public'
import {
  type LeafIndex,
  type PreSharedKeyId,
  type Proposal,
  ProposalType,
  PskType,
} from '@conclave/core/wire'

/**
 * What is kept of the parent's past epochs: commits of a room that were made in one of them come
 * within seconds, and whoever was cut off from the room for the grace period has lost its place.
 */
const keptEpochs = 128
const keptMs = 60_000
/** How long a commit of the room may wait for the parent's epoch that it names, in milliseconds. */
const patienceMs = 10_000
/** A committer is ahead of us by a few epochs at most. */
const maxEpochsAhead = 64n

interface KnownEpoch {
  readonly tree: PublicGroup['tree']
  readonly psk: Secret
  /** Milliseconds since the Unix epoch; undefined for the newest. */
  endedAt: number | undefined
}

export interface RoomBondOptions {
  readonly parentMeetingId: string
  readonly description: RoomDescription
  /** Our group of the parent, in its current epoch. */
  readonly parent: Group
  readonly clock: Clock
  readonly random: RandomBytes
  readonly onClose?: () => void
}

export interface BondWatcher {
  parentChanged(): void
  /** Leaves the room, or the way into it. */
  parentEnded(why: ConclaveError): Promise<void>
}

/** What groups of a meeting depend on, where the meeting may be a breakout room. */
export interface RoomEnvironment extends GroupEnvironment {
  readonly room?: RoomBond | undefined
}

/**
 * What ties a breakout room to the meeting that it was opened in. Each commit of the room carries a
 * key that the parent's newest epoch gives, so that nobody follows it who is not in the parent, and
 * what heals the parent heals the room (RFC 9750 §6.2). The keys of past epochs are kept for members
 * who are behind, bounded by number and time.
 */
export class RoomBond implements RoomParent {
  readonly meetingId: string
  /** Whether the keyserver can tell us how the parent goes on. */
  inTouch = true
  readonly description: RoomDescription
  readonly #clock: Clock
  readonly #random: RandomBytes
  readonly #onClose: (() => void) | undefined
  readonly #epochs = new Map<bigint, KnownEpoch>()
  readonly #waiting = new Set<() => void>()
  #parent: Group
  #floor = 0n
  #branchPsk: Secret | undefined
  #watcher: BondWatcher | undefined
  #cancelPrune: (() => void) | undefined
  #closed = false

  constructor(options: RoomBondOptions) {
    const { parentMeetingId, description, parent, clock, random } = options
    this.#onClose = options.onClose
    this.meetingId = describedRoomId(parent.public.crypto, parentMeetingId, description)
    this.description = description
    this.#clock = clock
    this.#random = random
    this.#parent = parent
    this.parentEpochBegan(parent)
  }

  get groupId(): Bytes {
    return this.description.parentGroupId
  }
  get tree(): PublicGroup['tree'] {
    return this.#parent.public.tree
  }
  get trees(): readonly PublicGroup['tree'][] {
    // Almost everybody is in the newest.
    return Array.from(this.#epochs.values(), ({ tree }) => tree).reverse()
  }
  get floor(): bigint {
    return this.#floor
  }

  treeAt(epoch: bigint): PublicGroup['tree'] | undefined {
    return this.#epochs.get(epoch)?.tree
  }

  isCalled(identity: Bytes): boolean {
    const hash = calledHash(this.#parent.public.crypto, identity)
    return this.description.called.some((called) => equalBytes(called, hash))
  }

  /** Whether the room was opened for somebody. */
  calls(identity: string): boolean {
    return this.isCalled(utf8(identity))
  }

  /** Who is in the room, or on the way in. */
  watch(watcher: BondWatcher): void {
    this.#watcher = watcher
  }

  /** The parent is over for us, and with it the room. */
  async parentEnded(why: ConclaveError): Promise<void> {
    await this.#watcher?.parentEnded(why)
  }

  /** The parent has gone on, or we have entered it anew. */
  parentEpochBegan(parent: Group): void {
    if (this.#closed) return
    const { epoch, public: group } = parent
    const now = this.#clock.now()
    for (const known of this.#epochs.values()) known.endedAt ??= now
    const { Nh } = group.crypto.suite
    const psk = parent.exportSecret(roomPskLabel, roomPskContext(this.meetingId), Nh)
    this.#epochs.get(epoch)?.psk.wipe()
    this.#epochs.set(epoch, { tree: group.tree, psk, endedAt: undefined })
    this.#parent = parent
    this.#prune()
    this.#wake()
    this.#watcher?.parentChanged()
  }

  /** The keys that commits of the room name. */
  preSharedKey(id: PreSharedKeyId): Secret | undefined {
    const named = this.epochNamedBy(id)
    if (named === undefined) return undefined
    if (id.pskType === PskType.resumption) return this.#branchPsk
    return this.#epochs.get(named)?.psk
  }

  /** The epoch of our parent that a key is of; undefined where it is another's. */
  epochNamedBy(id: PreSharedKeyId): bigint | undefined {
    const named = parentEpochOf(id)
    return named && equalBytes(named.parentGroupId, this.groupId) ? named.parentEpoch : undefined
  }

  /** A key of the parent's newest epoch, for a commit of ours. */
  newestPsk(): PreSharedKeyId {
    return roomPskId(this.#parentEpoch, this.#nonce())
  }

  /**
   * RFC 9420 §11.3: the resumption key by which the room's founder branches it off. `forget` is to be
   * called once the commit is made.
   */
  branchPsk(): { readonly id: PreSharedKeyId; forget(): void } {
    const psk = this.#parent.resumptionPsk
    this.#branchPsk = psk
    const forget = () => {
      psk.wipe()
      this.#branchPsk = undefined
    }
    return { id: branchPskId(this.#parentEpoch, this.#nonce()), forget }
  }

  /** What each commit of ours carries beside what is to be committed anyway. */
  proposalsIn(room: PublicGroup, ownLeaf: LeafIndex): readonly Proposal[] {
    return [
      ...this.#leftBehind(room, ownLeaf).map(
        (removed) => ({ proposalType: ProposalType.remove, removed }) as const,
      ),
      { proposalType: ProposalType.psk, psk: this.newestPsk() },
    ]
  }

  /** Whether somebody is in the room who is not in the parent any more. */
  mustRemove(room: PublicGroup, ownLeaf: LeafIndex): boolean {
    return this.#leftBehind(room, ownLeaf).length > 0
  }

  /** A commit of the room counts; later ones name no older epoch of the parent. */
  committed({ proposals }: Pick<CommitEffect, 'proposals'>): void {
    for (const id of proposals.preSharedKeys) this.named(this.epochNamedBy(id))
  }

  named(epoch: bigint | undefined): void {
    if (epoch !== undefined && epoch > this.#floor) this.#floor = epoch
  }

  /**
   * Waits for an epoch of the parent that others are in already: the two logs come by themselves.
   * Also resolves where it does not come in time, or never will.
   */
  async reached(epoch: bigint): Promise<void> {
    const isToCome = () =>
      !this.#closed && epoch > this.#parent.epoch && epoch <= this.#parent.epoch + maxEpochsAhead
    let late = false
    let wake = () => {}
    const cancel = this.#clock.setTimer(patienceMs, () => {
      late = true
      wake()
    })
    while (!late && isToCome()) {
      await new Promise<void>((resolve) => {
        wake = resolve
        this.#waiting.add(resolve)
      })
      this.#waiting.delete(wake)
    }
    cancel()
  }

  /** Wipes every key. Safe to call twice. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelPrune?.()
    for (const { psk } of this.#epochs.values()) psk.wipe()
    this.#epochs.clear()
    this.#branchPsk?.wipe()
    this.#watcher = undefined
    this.#wake()
    this.#onClose?.()
  }

  get #parentEpoch() {
    return { parentGroupId: this.groupId, parentEpoch: this.#parent.epoch }
  }

  #nonce(): Bytes {
    return this.#random(this.#parent.public.crypto.suite.Nh)
  }

  /** Whoever is to be removed anyway is removed by that. */
  #leftBehind(room: PublicGroup, ownLeaf: LeafIndex): readonly LeafIndex[] {
    const { pendingRemovals } = room
    return leavesOutside(room.tree, this.tree).filter(
      (leaf) => leaf !== ownLeaf && !pendingRemovals.has(leaf),
    )
  }

  #prune(): void {
    const now = this.#clock.now()
    const excess = this.#epochs.size - keptEpochs
    let age = 0
    for (const [epoch, { psk, endedAt }] of this.#epochs) {
      age += 1
      if (endedAt === undefined || (age > excess && now - endedAt < keptMs)) continue
      psk.wipe()
      this.#epochs.delete(epoch)
    }
    this.#cancelPrune?.()
    this.#cancelPrune = undefined
    const [oldest] = this.#epochs.values()
    if (oldest?.endedAt === undefined) return
    const due = Math.max(0, oldest.endedAt + keptMs - now)
    this.#cancelPrune = this.#clock.setTimer(due, () => this.#prune())
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}
