import type { Clock, ConclaveError } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { Group, GroupEnvironment } from '@conclave/core/mls/group'
import type { PublicGroup, ReInitProposal } from '@conclave/core/mls/public'
import type { LeafIndex } from '@conclave/core/wire'
import type { DeliveryLink } from './deliveryLink.ts'
import { encodeKeyPackage } from './enterMeeting.ts'
import type { HeldNext } from './heldNext.ts'
import { keyPackageFor, type MeetingLeaf } from './identity.ts'
import { forgetNext, type NextPlace, proposedReInit } from './nextPlace.ts'
import { isTransient, refusal } from './sessionError.ts'
import { StepTimer } from './stepTimer.ts'

/**
 * How long a ReInit may wait in an epoch for those who have offered nothing, in milliseconds: no
 * message can be sent meanwhile (RFC 9420 §12.4), so that a commit without it ends the epoch then.
 */
const unreadyMs = 3_000
/** An offer that is older is made anew, in milliseconds: its KeyPackage is to outlast the founding. */
const offerMs = 4 * 60_000

/** Whether the ReInit that is proposed in an epoch is to be committed. */
export type Readiness =
  | 'none'
  /** Somebody has offered nothing yet. */
  | 'waiting'
  | 'ready'
  /** It has waited for too long: a commit without it is due. */
  | 'stale'

export interface NextOfferOptions {
  readonly groups: GroupEnvironment
  readonly link: Pick<DeliveryLink, 'request'>
  readonly clock: Clock
  readonly newLeaf: () => Promise<MeetingLeaf>
}

export interface NextOfferHost {
  /** Our group, in its current epoch; undefined while we have no place in one. */
  group(): Group | undefined
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  problem(error: ConclaveError): void
  /** Who has offered nothing is known anew. */
  offered(): void
  /** What is due in this epoch may be another commit now. */
  reconsider(): void
}

/** The KeyPackage that we offer for the next group while one is proposed, and who has offered none. */
export class NextOffer {
  readonly #options: NextOfferOptions
  readonly #held: HeldNext
  readonly #host: NextOfferHost
  readonly #timer: StepTimer
  #offeredAt = 0
  /** Leaves without an offer in this epoch; undefined until the keyserver has said. */
  #missing: ReadonlySet<number> | undefined
  #pendingSince: number | undefined

  constructor(options: NextOfferOptions, held: HeldNext, host: NextOfferHost) {
    this.#options = options
    this.#held = held
    this.#host = host
    this.#timer = new StepTimer(options.clock, (step) => host.run(step))
  }

  /** The members who have offered nothing in this epoch, as far as the keyserver has said. */
  get missing(): ReadonlySet<number> | undefined {
    return this.#missing
  }

  /** Goes on with what an earlier process has offered. */
  restore(next: NextPlace): void {
    this.#held.restore(next)
    this.#offeredAt = this.#options.clock.now()
  }

  /** Whether a commit is to take up the ReInit that is proposed in this epoch. */
  readiness(group: Pick<PublicGroup, 'proposals' | 'tree'>): Readiness {
    if (proposedReInit(group) === undefined) return 'none'
    const missing = this.#missing
    const isThere = (leaf: number) => group.tree.leafNode(leaf as LeafIndex) !== undefined
    if (missing !== undefined && ![...missing].some(isThere)) return 'ready'
    const since = this.#pendingSince
    const isStale = since !== undefined && this.#options.clock.now() - since >= unreadyMs
    return isStale ? 'stale' : 'waiting'
  }

  /** Something has been proposed in this epoch. */
  proposed(): void {
    const group = this.#host.group()
    if (this.#pendingSince !== undefined || group === undefined) return
    if (proposedReInit(group.public) === undefined) return
    this.#pendingSince = this.#options.clock.now()
    this.#timer.set(unreadyMs, async () => this.#host.reconsider())
    this.#host.run(() => this.#offer())
  }

  /** Our connection speaks for our leaf, also after another one was lost. */
  connected(): void {
    if (this.#pendingSince === undefined) this.proposed()
    else this.#host.run(() => this.#offer())
  }

  /** The keyserver tells who has offered nothing. */
  offered(missing: readonly number[]): void {
    this.#missing = new Set(missing)
    this.#host.offered()
  }

  /** The keyserver has refused a commit of the ReInit: of these it has no offer. */
  unready(missing: readonly number[]): void {
    const group = this.#host.group()
    if (group === undefined) return
    this.offered(missing)
    if (missing.includes(group.leafIndex)) this.#host.run(() => this.#offer())
  }

  /** The epoch in which it was proposed is over for us. */
  settle(): void {
    this.#timer.cancel()
    this.#missing = undefined
    this.#pendingSince = undefined
  }

  async #offer(): Promise<void> {
    const group = this.#host.group()
    const reInit = group && proposedReInit(group.public)
    if (group === undefined || reInit === undefined || this.#held.isClosed) return
    const { groupId } = group
    const next = await this.#nextFor(groupId, reInit)
    if (next === undefined || this.#held.isClosed) return
    const keyPackage = encodeKeyPackage(next.bundle)
    const reply = await this.#options.link.request('offer', { groupId, keyPackage })
    if (this.#held.isClosed || this.#host.group() !== group) return
    if (reply.ok) {
      this.offered(reply.missing)
      this.#host.reconsider()
      return
    }
    const error = refusal(reply)
    if (isTransient(error)) throw error
    // The epoch has ended, or will.
    if (reply.code !== 'reinit-unknown') this.#host.problem(error)
  }

  /** What we have offered for that before, or something new; stored in any case. */
  async #nextFor(groupId: Bytes, reInit: ReInitProposal): Promise<NextPlace | undefined> {
    const { groups, clock, newLeaf } = this.#options
    const suite = groups.crypto.secretSuite(reInit.cipherSuite)
    if (suite === undefined) return undefined
    const before = this.#held.current
    const now = clock.now()
    const isGood =
      before !== undefined &&
      equalBytes(before.groupId, groupId) &&
      before.suite.suite.id === reInit.cipherSuite &&
      now - this.#offeredAt < offerMs
    if (isGood && equalBytes(before.nextId, reInit.groupId)) return before
    let next: NextPlace
    if (isGood) next = { ...before, nextId: reInit.groupId }
    else {
      const own = await newLeaf()
      const bundle = await keyPackageFor(suite, own, clock)
      next = { groupId, nextId: reInit.groupId, suite, own, bundle }
      if (this.#held.isClosed) {
        forgetNext(next)
        return undefined
      }
      this.#held.drop()
      this.#offeredAt = now
    }
    // Somebody may add us with it from now on.
    await this.#held.keep(next)
    return next
  }
}
