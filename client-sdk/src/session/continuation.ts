import { type Clock, ConclaveError } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { LogEntry, ServerNotices } from '@conclave/core/delivery'
import type { Group } from '@conclave/core/mls/group'
import type { PublicGroup } from '@conclave/core/mls/public'
import type { RoomEnvironment } from '../rooms/roomBond.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import { encodeKeyPackage, joinByWelcome } from './enterMeeting.ts'
import { HeldNext } from './heldNext.ts'
import type { MeetingLeaf } from './identity.ts'
import type { MeetingEffect } from './meetingEffect.ts'
import { NextFounding } from './nextFounding.ts'
import { NextOffer, type Readiness } from './nextOffer.ts'
import { type NextPlace, wipeOffer } from './nextPlace.ts'
import { missedContinuation } from './participationErrors.ts'
import { isTransient, isUnreachable, refusal } from './sessionError.ts'
import { StepTimer } from './stepTimer.ts'

/** How long after the group has been continued our Welcome is asked for, and given up, in milliseconds. */
const welcomeMs = 2_000

/** Our part in the group that is to be continued. */
export interface ContinuedPlace {
  readonly group: Group
  readonly present: ReadonlySet<number>
  readonly lastSeq: number
  take(entries: readonly LogEntry[]): Promise<void>
  reconsider(): void
}

export interface ContinuationOptions {
  readonly groups: RoomEnvironment
  readonly link: Pick<DeliveryLink, 'request'>
  readonly clock: Clock
  readonly newLeaf: () => Promise<MeetingLeaf>
  /**
   * Resolves once what lets us into the next group outlasts a crash.
   * @throws SessionError `store-unavailable`
   */
  readonly keep: (next: NextPlace) => Promise<void>
}

/** How a group that continues another was agreed upon. */
export interface Agreed {
  readonly cipherSuite: number
  /** The leaf in the old group that has proposed it; undefined where an earlier process saw it. */
  readonly proposedBy: number | undefined
}

export interface ContinuationHost {
  /** Our part in the group; undefined while we have none. */
  place(): ContinuedPlace | undefined
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  problem(error: ConclaveError): void
  /** Who has offered nothing is known anew. */
  offered(): void
  /** Whether the meeting has gone on in another group is to be asked. */
  askFate(): void
  /** The meeting goes on in this group, in which we have the leaf. */
  continued(group: Group, own: MeetingLeaf, agreed: Agreed): Promise<void>
  /**
   * The meeting goes on in this group, which we have to enter by ourselves.
   * @param own our leaf there, which somebody else may have put there
   */
  enterAnew(groupId: Bytes, own: MeetingLeaf | undefined, why: ConclaveError): void
}

/**
 * Takes our part in a group into the one that continues it (RFC 9420 §11.2, RFC 9750 §5.2.3).
 * Whoever sees a ReInit proposed offers a KeyPackage for the next group, and only when everybody has
 * is it committed: then any member can found the next group, and nobody's absence keeps the others
 * out of it. The session calls one method at a time; `close` may come at any time.
 */
export class Continuation {
  readonly #options: ContinuationOptions
  readonly #host: ContinuationHost
  readonly #held: HeldNext
  readonly #offer: NextOffer
  readonly #founding: NextFounding
  readonly #patience: StepTimer
  /** By whom the group was frozen; undefined while it is not. */
  #frozen: { readonly committer: number; readonly proposedBy: number | undefined } | undefined
  /** A Welcome that has come before the old group was frozen here. */
  #welcome: ServerNotices['welcome'] | undefined
  /** Where the meeting has gone on, as the keyserver says, and whether our Welcome was asked for. */
  #continuedIn: { readonly groupId: Bytes; asked: boolean } | undefined

  constructor(options: ContinuationOptions, host: ContinuationHost) {
    this.#options = options
    this.#host = host
    this.#held = new HeldNext(options.keep)
    const run = (step: () => Promise<void>) => host.run(step)
    const problem = (error: ConclaveError) => host.problem(error)
    this.#offer = new NextOffer(options, this.#held, {
      run,
      problem,
      group: () => host.place()?.group,
      offered: () => host.offered(),
      reconsider: () => host.place()?.reconsider(),
    })
    this.#founding = new NextFounding(options, this.#held, {
      run,
      problem,
      place: () => host.place(),
      isFounded: () => this.isMoving,
      entered: (group, next) => this.#enter(group, next),
      doubted: () => this.#doubt(),
      preceded: (groupId, missed) => this.arrived(groupId, missed),
    })
    this.#patience = new StepTimer(options.clock, run)
  }

  /** The members who have offered nothing in this epoch, as far as the keyserver has said. */
  get missing(): ReadonlySet<number> | undefined {
    return this.#offer.missing
  }

  /** Whether the meeting goes on in another group than that of our place. */
  get isMoving(): boolean {
    return this.#continuedIn !== undefined
  }

  /** Gives away our leaf in this group, if we have offered to be in there. */
  giveLeafIn(groupId: Bytes): MeetingLeaf | undefined {
    const next = this.#held.give()
    this.#settle()
    if (next === undefined) return undefined
    wipeOffer(next)
    if (equalBytes(next.nextId, groupId)) return next.own
    next.own.signatureKey.wipe()
    return undefined
  }

  /** Goes on with what an earlier process has kept. */
  restore(next: NextPlace): void {
    this.#offer.restore(next)
  }

  /** Whether a commit is to take up the ReInit that is proposed in this epoch. */
  readiness(group: Pick<PublicGroup, 'proposals' | 'tree'>): Readiness {
    return this.#offer.readiness(group)
  }

  /** Something has been proposed in this epoch. */
  proposed(): void {
    this.#offer.proposed()
  }

  /** The keyserver tells who has offered nothing. */
  offered(missing: readonly number[]): void {
    this.#offer.offered(missing)
  }

  /** The keyserver has refused a commit of the ReInit: of these it has no offer. */
  unready(missing: readonly number[]): void {
    this.#offer.unready(missing)
  }

  /** @param effect of the commit that began it; undefined where that was before our time */
  epochBegan(group: Group, effect: MeetingEffect | undefined): void {
    this.#offer.settle()
    if (group.public.reInit === undefined) return
    const { proposals } = effect ?? {}
    const sender = proposals?.all.find(({ proposal }) => 'cipherSuite' in proposal)?.sender
    const committer = proposals?.committer ?? 0
    const proposedBy = sender !== undefined && 'leafIndex' in sender ? sender.leafIndex : undefined
    this.#frozen = { committer, proposedBy }
    this.#founding.awaitTurn(committer)
  }

  /** Our connection speaks for our leaf, also after another one was lost. */
  connected(): void {
    const group = this.#host.place()?.group
    if (group === undefined || this.#continuedIn !== undefined) return
    if (group.public.reInit === undefined) this.#offer.connected()
    else if (this.#frozen === undefined) this.epochBegan(group, undefined)
    else this.#founding.awaitTurn(this.#frozen.committer)
  }

  /** Goes on in moving to the next group, over a connection that may be a new one. */
  async goOn(): Promise<void> {
    const groupId = this.#continuedIn?.groupId
    if (groupId !== undefined) await this.arrived(groupId, [])
  }

  /**
   * The meeting has this group now, which may continue ours.
   * @param missed what the log of ours still had
   */
  async arrived(groupId: Bytes, missed: readonly LogEntry[]): Promise<void> {
    const place = this.#host.place()
    if (place === undefined || this.#held.isClosed) return
    await place.take(missed)
    // One of these may have removed us.
    if (this.#held.isClosed || this.#host.place() !== place) return
    this.#founding.stop()
    const next = this.#held.current
    const { reInit } = place.group.public
    if (next === undefined || reInit === undefined || !equalBytes(reInit.groupId, groupId)) {
      return this.#enterAnew(groupId)
    }
    const { asked = false } = this.#continuedIn ?? {}
    this.#continuedIn = { groupId, asked }
    const welcome = this.#welcome
    this.#welcome = undefined
    if (welcome !== undefined && (await this.welcomed(welcome))) return
    if (next.founded !== undefined) return this.#founding.send(next, next.founded)
    this.#awaitWelcome()
  }

  /**
   * Enters the next group, where the Welcome is for our offer.
   * @returns whether it is
   */
  async welcomed(notice: ServerNotices['welcome']): Promise<boolean> {
    const next = this.#held.current
    if (next === undefined || !equalBytes(notice.ref, next.bundle.ref)) return false
    const old = this.#host.place()?.group
    if (old?.public.reInit === undefined) {
      // The commit that has frozen the group has not come yet.
      this.#welcome = notice
      this.#host.askFate()
      return true
    }
    const { groups, link } = this.#options
    let group: Group
    try {
      group = await joinByWelcome(groups, link, next.bundle, notice, old)
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
      if (isTransient(error) || isUnreachable(error)) throw error
      if (this.#held.isClosed) return true
      this.#host.problem(error)
      this.#enterAnew(notice.groupId)
      return true
    }
    if (this.#held.current !== next) {
      group.close()
      return true
    }
    next.founded?.group.wipe()
    await this.#enter(group, next)
    return true
  }

  /** Our place in the group is gone; where it is taken again, what we have offered stays good. */
  lost(): void {
    this.#settle()
  }

  /** As `lost`, where nothing is kept of the place either. */
  givenUp(): void {
    this.#settle()
    this.#held.drop()
  }

  /** Wipes everything. */
  close(): void {
    this.#settle()
    this.#held.close()
  }

  /** The keyserver may have lost since that the meeting has gone on, and what led there. */
  #doubt(): void {
    this.#patience.cancel()
    this.#continuedIn = undefined
    this.#host.askFate()
  }

  /** The Welcome comes by itself as a rule; otherwise it is asked for, once. */
  #awaitWelcome(): void {
    this.#patience.set(welcomeMs, async () => {
      const next = this.#held.current
      const continuedIn = this.#continuedIn
      if (next === undefined || continuedIn === undefined) return
      const { groupId, asked } = continuedIn
      if (asked) return this.#enterAnew(groupId)
      const keyPackage = encodeKeyPackage(next.bundle)
      const reply = await this.#options.link.request('wait', { groupId, keyPackage })
      if (this.#continuedIn !== continuedIn) return
      if (!reply.ok && isTransient(refusal(reply))) throw refusal(reply)
      if (!reply.ok) return this.#enterAnew(groupId)
      continuedIn.asked = true
      this.#awaitWelcome()
    })
  }

  async #enter(group: Group, next: NextPlace): Promise<void> {
    const agreed: Agreed = {
      cipherSuite: next.suite.suite.id,
      proposedBy: this.#frozen?.proposedBy,
    }
    this.#held.give()
    this.#settle()
    await this.#host.continued(group, next.own, agreed)
  }

  #enterAnew(groupId: Bytes): void {
    const next = this.#held.give()
    this.#settle()
    if (next !== undefined) wipeOffer(next)
    this.#host.enterAnew(groupId, next?.own, missedContinuation())
  }

  #settle(): void {
    this.#offer.settle()
    this.#founding.settle()
    this.#patience.cancel()
    this.#frozen = undefined
    this.#continuedIn = undefined
    this.#welcome = undefined
  }
}
