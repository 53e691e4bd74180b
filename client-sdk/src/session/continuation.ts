import { type Clock, ConclaveError } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { LogEntry, ReplyTo, ServerNotices } from '@conclave/core/delivery'
import { Group } from '@conclave/core/mls/group'
import type { PublicGroup, ReInitProposal } from '@conclave/core/mls/public'
import type { LeafIndex } from '@conclave/core/wire'
import type { RoomEnvironment } from '../rooms/roomBond.ts'
import { foundersInOrder, foundingTurn } from './commitTurn.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import { encodeKeyPackage, joinByWelcome } from './enterMeeting.ts'
import { keyPackageFor, type MeetingLeaf } from './identity.ts'
import type { MeetingEffect } from './meetingEffect.ts'
import {
  type FoundedNext,
  forgetNext,
  foundNext,
  type NextPlace,
  proposedReInit,
  wipeOffer,
} from './nextPlace.ts'
import { missedContinuation } from './participationErrors.ts'
import { isTransient, isUnreachable, refusal } from './sessionError.ts'

/**
 * How long a ReInit may wait in an epoch for those who have offered nothing, in milliseconds: no
 * message can be sent meanwhile (RFC 9420 §12.4), so that a commit without it ends the epoch then.
 */
const unreadyMs = 3_000
/** An offer that is older is made anew, in milliseconds: its KeyPackage is to outlast the founding. */
const offerMs = 4 * 60_000
/** How long after the group has been continued our Welcome is asked for, and given up, in milliseconds. */
const welcomeMs = 2_000
/** The pause after something that the keyserver has refused, in milliseconds. */
const againMs = 2_000

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
  readonly keep: (next: NextPlace | undefined) => Promise<void>
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
  /** The meeting has gone on in another group. */
  moved(): void
  /** The meeting goes on in this group, in which we have the leaf. */
  continued(group: Group, own: MeetingLeaf, agreed: Agreed): Promise<void>
  /**
   * The meeting goes on in this group, which we have to enter by ourselves.
   * @param own our leaf there, which somebody else may have put there
   */
  enterAnew(groupId: Bytes, own: MeetingLeaf | undefined, why: ConclaveError): void
}

/** Whether the ReInit that is proposed in an epoch is to be committed. */
export type Readiness =
  | 'none'
  /** Somebody has offered nothing yet. */
  | 'waiting'
  | 'ready'
  /** It has waited for too long: a commit without it is due. */
  | 'stale'

/**
 * Takes our part in a group into the one that continues it (RFC 9420 §11.2, RFC 9750 §5.2.3).
 * Whoever sees a ReInit proposed offers a KeyPackage for the next group, and only when everybody has
 * is it committed: then any member can found the next group, and nobody's absence keeps the others
 * out of it. The session calls one method at a time; `close` may come at any time.
 */
export class Continuation {
  readonly #options: ContinuationOptions
  readonly #host: ContinuationHost
  #next: NextPlace | undefined
  #offeredAt = 0
  /** Leaves without an offer in this epoch; undefined until the keyserver has said. */
  #missing: ReadonlySet<number> | undefined
  #pendingSince: number | undefined
  /** The epoch in which the group is frozen, and whose turn to found comes when. */
  #frozen: { readonly committer: number; readonly proposedBy: number | undefined } | undefined
  #sent: FoundedNext | undefined
  /** The request for all offers whose answer is out. */
  #asked: object | undefined
  /** A Welcome that has come before the old group was frozen here. */
  #welcome: ServerNotices['welcome'] | undefined
  /** Where the meeting has gone on, as the keyserver says, and whether our Welcome was asked for. */
  #continuedIn: { readonly groupId: Bytes; asked: boolean } | undefined
  readonly #timers = new Map<'stale' | 'turn' | 'welcome', () => void>()
  #closed = false

  constructor(options: ContinuationOptions, host: ContinuationHost) {
    this.#options = options
    this.#host = host
  }

  /** The members who have offered nothing in this epoch, as far as the keyserver has said. */
  get missing(): ReadonlySet<number> | undefined {
    return this.#missing
  }

  /** Whether the meeting goes on in another group than that of our place. */
  get isMoving(): boolean {
    return this.#continuedIn !== undefined
  }

  /** Gives away our leaf in this group, if we have offered to be in there. */
  giveLeafIn(groupId: Bytes): MeetingLeaf | undefined {
    const next = this.#next
    this.#next = undefined
    this.#settle()
    if (next === undefined) return undefined
    wipeOffer(next)
    if (equalBytes(next.nextId, groupId)) return next.own
    next.own.signatureKey.wipe()
    return undefined
  }

  /** Goes on with what an earlier process has kept. */
  restore(next: NextPlace): void {
    this.#drop()
    this.#next = next
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
    const group = this.#host.place()?.group
    if (this.#pendingSince !== undefined || group === undefined) return
    if (proposedReInit(group.public) === undefined) return
    this.#pendingSince = this.#options.clock.now()
    this.#setTimer('stale', unreadyMs, async () => this.#host.place()?.reconsider())
    this.#host.run(() => this.#offer())
  }

  /** The keyserver tells who has offered nothing. */
  offered(missing: readonly number[]): void {
    this.#missing = new Set(missing)
    this.#host.offered()
  }

  /** The keyserver has refused a commit of the ReInit: of these it has no offer. */
  unready(missing: readonly number[]): void {
    const place = this.#host.place()
    if (place === undefined) return
    this.offered(missing)
    if (missing.includes(place.group.leafIndex)) this.#host.run(() => this.#offer())
  }

  /** @param effect of the commit that began it; undefined where that was before our time */
  epochBegan(group: Group, effect: MeetingEffect | undefined): void {
    this.#missing = undefined
    this.#pendingSince = undefined
    this.#cancel('stale')
    if (group.public.reInit === undefined) return
    const { proposals } = effect ?? {}
    const sender = proposals?.all.find(({ proposal }) => 'cipherSuite' in proposal)?.sender
    this.#frozen = {
      committer: proposals?.committer ?? 0,
      proposedBy: sender !== undefined && 'leafIndex' in sender ? sender.leafIndex : undefined,
    }
    this.#awaitTurn()
  }

  /** Our connection speaks for our leaf, also after another one was lost. */
  connected(): void {
    const group = this.#host.place()?.group
    if (group === undefined || this.#continuedIn !== undefined) return
    if (group.public.reInit === undefined) {
      if (this.#pendingSince === undefined) this.proposed()
      else this.#host.run(() => this.#offer())
    } else if (this.#frozen === undefined) this.epochBegan(group, undefined)
    else this.#awaitTurn()
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
    if (place === undefined || this.#closed) return
    await place.take(missed)
    // One of these may have removed us.
    if (this.#closed || this.#host.place() !== place) return
    this.#cancel('turn')
    const next = this.#next
    const { reInit } = place.group.public
    if (next === undefined || reInit === undefined || !equalBytes(reInit.groupId, groupId)) {
      return this.#enterAnew(groupId)
    }
    const { asked = false } = this.#continuedIn ?? {}
    this.#continuedIn = { groupId, asked }
    const welcome = this.#welcome
    this.#welcome = undefined
    if (welcome !== undefined && (await this.welcomed(welcome))) return
    if (next.founded !== undefined) return this.#send(next, next.founded)
    this.#awaitWelcome()
  }

  /**
   * Enters the next group, where the Welcome is for our offer.
   * @returns whether it is
   */
  async welcomed(notice: ServerNotices['welcome']): Promise<boolean> {
    const next = this.#next
    if (next === undefined || !equalBytes(notice.ref, next.bundle.ref)) return false
    const old = this.#host.place()?.group
    if (old?.public.reInit === undefined) {
      // The commit that has frozen the group has not come yet.
      this.#welcome = notice
      this.#host.moved()
      return true
    }
    const { groups, link } = this.#options
    let group: Group
    try {
      group = await joinByWelcome(groups, link, next.bundle, notice, old)
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
      if (isTransient(error) || isUnreachable(error)) throw error
      if (this.#closed) return true
      this.#host.problem(error)
      this.#enterAnew(notice.groupId)
      return true
    }
    if (this.#closed || this.#next !== next) {
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
    this.#drop()
  }

  /** Wipes everything. */
  close(): void {
    this.#closed = true
    this.#settle()
    this.#drop()
  }

  async #offer(): Promise<void> {
    const group = this.#host.place()?.group
    const reInit = group && proposedReInit(group.public)
    if (group === undefined || reInit === undefined || this.#closed) return
    const next = await this.#nextFor(group.groupId, reInit)
    if (next === undefined || this.#closed) return
    const { groupId } = group
    const keyPackage = encodeKeyPackage(next.bundle)
    const reply = await this.#options.link.request('offer', { groupId, keyPackage })
    if (this.#closed || this.#host.place()?.group !== group) return
    if (reply.ok) {
      this.offered(reply.missing)
      this.#host.place()?.reconsider()
      return
    }
    const error = refusal(reply)
    if (isTransient(error)) throw error
    // The epoch has ended, or will.
    if (reply.code !== 'reinit-unknown') this.#host.problem(error)
  }

  /** What we have offered for that before, or something new; stored in any case. */
  async #nextFor(groupId: Bytes, reInit: ReInitProposal): Promise<NextPlace | undefined> {
    const { groups, clock, newLeaf, keep } = this.#options
    const suite = groups.crypto.secretSuite(reInit.cipherSuite)
    if (suite === undefined) return undefined
    const before = this.#next
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
      if (this.#closed) {
        forgetNext(next)
        return undefined
      }
      this.#drop()
      this.#offeredAt = now
    }
    this.#next = next
    // Somebody may add us with it from now on.
    await keep(next)
    return next
  }

  /** Whoever comes first in the ring founds at once, the others where those before them do not. */
  #awaitTurn(): void {
    const place = this.#host.place()
    const { committer } = this.#frozen ?? {}
    if (place === undefined || committer === undefined || this.#timers.has('turn')) return
    const { group, present } = place
    const order = foundersInOrder(group.public, committer, new Set([...present, group.leafIndex]))
    const rank = order.indexOf(group.leafIndex)
    if (rank < 0) return
    this.#setTimer('turn', foundingTurn(rank, group.public), () => this.#found())
  }

  async #found(): Promise<void> {
    const old = this.#host.place()?.group
    const next = this.#next
    if (old?.public.reInit === undefined || next === undefined) return
    if (this.#continuedIn !== undefined || this.#sent !== undefined) return
    if (next.founded !== undefined) return this.#send(next, next.founded)
    // Beside the lane: meanwhile somebody else's Welcome may come.
    const { link } = this.#options
    const asked = { groupId: old.groupId }
    if (this.#asked !== undefined) return
    this.#asked = asked
    const answer = link.request('offers', asked).finally(() => {
      if (this.#asked === asked) this.#asked = undefined
    })
    answer.then(
      (reply) => this.#host.run(() => this.#foundWith(old, next, reply)),
      (error: unknown) => this.#host.run(() => Promise.reject(error)),
    )
  }

  async #foundWith(old: Group, next: NextPlace, reply: ReplyTo<'offers'>): Promise<void> {
    const { reInit } = old.public
    if (this.#closed || this.#next !== next || this.#continuedIn !== undefined) return
    if (!reply.ok) return this.#notNow(reply)
    if (reInit === undefined) return
    const { groups, keep } = this.#options
    let founded: FoundedNext
    try {
      founded = await foundNext(groups, old, next, reply.keyPackages)
    } catch (error) {
      if (this.#closed) return
      if (!(error instanceof ConclaveError)) throw error
      this.#host.problem(error)
      return this.#again()
    }
    if (this.#closed || this.#next !== next || this.#continuedIn !== undefined) {
      founded.group.wipe()
      return
    }
    const founding = { ...next, nextId: reInit.groupId, founded }
    this.#next = founding
    // If the keyserver has it and we crash, only what is kept of it lets us in.
    await keep(founding)
    if (!this.#closed && this.#next === founding) this.#send(founding, founded)
  }

  /** Beside the lane: meanwhile somebody else's Welcome may come. Sent again it is answered the same. */
  #send(next: NextPlace, founded: FoundedNext): void {
    if (this.#sent === founded) return
    this.#sent = founded
    const { groupId } = next
    const answer = this.#options.link
      .request('continue', { groupId, ...founded.request })
      .finally(() => {
        if (this.#sent === founded) this.#sent = undefined
      })
    answer.then(
      (reply) => this.#host.run(() => this.#answered(next, founded, reply)),
      (error: unknown) => this.#host.run(() => Promise.reject(error)),
    )
  }

  async #answered(
    next: NextPlace,
    founded: FoundedNext,
    reply: ReplyTo<'continue'>,
  ): Promise<void> {
    if (this.#closed || this.#next !== next) return
    if (reply.ok) {
      const group = Group.restore(this.#options.groups, founded.group.expose(), next.own.signer)
      founded.group.wipe()
      wipeOffer(next)
      return this.#enter(group, next)
    }
    const error = refusal(reply)
    if (isTransient(error)) throw error
    founded.group.wipe()
    const waiting: NextPlace = { ...next, founded: undefined }
    this.#next = waiting
    await this.#options.keep(waiting)
    if (reply.code === 'group-continued' && reply.group !== undefined) {
      // Somebody else was first, whose Welcome comes or waits for us.
      return this.arrived(reply.group.groupId, reply.missed ?? [])
    }
    await this.#notNow(reply)
  }

  async #notNow(reply: Extract<ReplyTo<'continue'>, { ok: false }>): Promise<void> {
    const error = refusal(reply)
    if (isTransient(error)) throw error
    if (reply.code === 'group-continued' && reply.group !== undefined) {
      return this.arrived(reply.group.groupId, reply.missed ?? [])
    }
    this.#host.problem(error)
    this.#again()
  }

  #again(): void {
    this.#setTimer('turn', againMs, () => this.#found())
  }

  /** The Welcome comes by itself as a rule; otherwise it is asked for, once. */
  #awaitWelcome(): void {
    this.#setTimer('welcome', welcomeMs, async () => {
      const next = this.#next
      const continuedIn = this.#continuedIn
      if (next === undefined || continuedIn === undefined) return
      const { groupId, asked } = continuedIn
      if (asked) return this.#enterAnew(groupId)
      const keyPackage = encodeKeyPackage(next.bundle)
      const reply = await this.#options.link.request('wait', { groupId, keyPackage })
      if (this.#closed || this.#continuedIn !== continuedIn) return
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
    this.#next = undefined
    this.#settle()
    await this.#host.continued(group, next.own, agreed)
  }

  #enterAnew(groupId: Bytes): void {
    const next = this.#next
    this.#next = undefined
    this.#settle()
    if (next !== undefined) wipeOffer(next)
    this.#host.enterAnew(groupId, next?.own, missedContinuation())
  }

  #settle(): void {
    for (const timer of ['stale', 'turn', 'welcome'] as const) this.#cancel(timer)
    this.#missing = undefined
    this.#pendingSince = undefined
    this.#frozen = undefined
    this.#sent = undefined
    this.#asked = undefined
    this.#continuedIn = undefined
    this.#welcome = undefined
  }

  #drop(): void {
    if (this.#next !== undefined) forgetNext(this.#next)
    this.#next = undefined
  }

  #setTimer(name: 'stale' | 'turn' | 'welcome', ms: number, step: () => Promise<void>): void {
    this.#cancel(name)
    const cancel = this.#options.clock.setTimer(ms, () => {
      this.#timers.delete(name)
      this.#host.run(step)
    })
    this.#timers.set(name, cancel)
  }

  #cancel(name: 'stale' | 'turn' | 'welcome'): void {
    this.#timers.get(name)?.()
    this.#timers.delete(name)
  }
}
