import { ConclaveError } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { SecretSuite } from '@conclave/core/crypto/secret'
import type { GroupSummary, ServerNotices } from '@conclave/core/delivery'
import type { MeetingTrust } from '@conclave/core/meeting'
import type { Group } from '@conclave/core/mls/group'
import type { Invitation } from '../directory/invitation.ts'
import type { RoomEnvironment } from '../rooms/roomBond.ts'
import { type Agreed, Continuation } from './continuation.ts'
import { CurrentPlace } from './currentPlace.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import type { Entered } from './enterMeeting.ts'
import { Entrance, type JoinProgress } from './entrance.ts'
import { askFate, type GroupFate } from './groupFate.ts'
import type { MeetingIdentity, MeetingLeaf } from './identity.ts'
import type { MeetingEffect } from './meetingEffect.ts'
import { Membership } from './membership.ts'
import { OwnPlace } from './ownPlace.ts'
import { type Beginning, Participation } from './participation.ts'
import { closedByKeyserver, missedContinuation, notInMeeting } from './participationErrors.ts'
import { Reinitialising } from './reinitialising.ts'
import type { SessionEnvironment } from './sessionEnvironment.ts'
import { isGroupOver } from './sessionError.ts'
import type { SessionStore } from './store.ts'

export interface TenureOptions {
  readonly meetingId: string
  readonly identity: MeetingIdentity
  readonly trust: MeetingTrust
  readonly invitation: Invitation | undefined
  readonly environment: SessionEnvironment
  readonly suite: SecretSuite
  readonly groups: RoomEnvironment
  readonly link: Pick<DeliveryLink, 'request'>
}

export interface TenureHost {
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  /** Has `goOn` called after a pause, in milliseconds. */
  goOnLater(pauseMs?: number): void
  progress(progress: JoinProgress): void
  problem(error: ConclaveError): void
  /** We are in. `restored`: the epoch is that in which an earlier process was. */
  entered(group: Group, restored: boolean): void
  epochBegan(group: Group, effect: MeetingEffect | undefined): void
  /** We are in the group that continues the one in which we were. */
  continued(group: Group, agreed: Agreed): void
  /** We have no place any more until it is taken again. */
  lost(error: ConclaveError): void
  /** Something went wrong that no step waits for. */
  failed(error: unknown): void
  end(reason: 'removed' | 'closed' | 'failed', error?: ConclaveError, removal?: MeetingEffect): void
}

/**
 * The places that we have in the meeting's group, one after the other: taken up from the store or
 * entered, lost when its log cannot be followed, and taken again.
 */
export class Tenure {
  readonly #options: TenureOptions
  readonly #host: TenureHost
  readonly #current: CurrentPlace
  readonly #own: OwnPlace
  readonly #entrance: Entrance
  readonly #continuation: Continuation
  readonly #reinitialising: Reinitialising
  /** The group that has been continued by the one in which we are. */
  #behind: Bytes | undefined
  #entered: Entered | undefined

  constructor(options: TenureOptions, host: TenureHost) {
    const { meetingId, identity, trust, invitation, environment, suite, groups, link } = options
    const { clock, random } = environment
    this.#options = options
    this.#host = host
    this.#current = new CurrentPlace(clock)
    const run = (step: () => Promise<void>) => host.run(step)
    const problem = (error: ConclaveError) => host.problem(error)
    this.#own = new OwnPlace({ meetingId, identity, environment, suite, groups, problem })
    const newLeaf = () => this.#own.newLeaf()
    this.#entrance = new Entrance(
      { meetingId, trust, groups, suite, link, clock, random, newLeaf, invitation },
      {
        run,
        progress: (progress) => host.progress(progress),
        problem,
        began: (group, seq, own, entry) => this.#begin(new Membership(group, seq), own, { entry }),
        offering: (own, groupId) => this.#own.offering(own, groupId),
      },
    )
    this.#reinitialising = new Reinitialising(
      { link, clock, random },
      { run, group: () => this.group, missing: () => this.#continuation.missing },
    )
    this.#continuation = new Continuation(
      { groups, link, clock, newLeaf, keep: (next) => this.#own.keepNext(next) },
      {
        run,
        place: () => this.place,
        problem,
        offered: () => this.#reinitialising.noteSilent(),
        askFate: () => run(() => this.learnFate()),
        continued: (group, own, agreed) => this.#continued(group, own, agreed),
        enterAnew: (groupId, own, why) => this.#enterAnew(groupId, own, why),
      },
    )
  }

  /** Our part in the group, where we have a place. */
  get place(): Participation | undefined {
    return this.#current.place
  }

  /** The group of the current epoch, once we are in. */
  get group(): Group | undefined {
    return this.#current.group
  }

  /** For what belongs to our place; undefined until `open`. */
  get store(): SessionStore | undefined {
    return this.#own.store
  }

  /**
   * Takes up what there is in the store; of no effect once it has been done.
   * @throws SessionError `slots-taken`, `store-…`, `platform-unsupported`
   */
  async open(): Promise<void> {
    await this.#own.open()
  }

  /** Goes on over a connection that has just entered the meeting. */
  async connected(entered: Entered): Promise<void> {
    this.#entered = entered
    const { group } = entered
    const current = this.#current.groupId
    const isOurs = current === undefined || (group !== null && equalBytes(group.groupId, current))
    if (isOurs) return this.goOn()
    const isMoved = group !== null && (await this.#followFate(current)) === 'moved'
    if (!isMoved) this.#host.end('closed', closedByKeyserver())
  }

  /** Whether we are in a group, or return to one. */
  get hasGroup(): boolean {
    return this.#current.groupId !== undefined
  }

  /** The keyserver says that the group is over. */
  async learnFate(): Promise<void> {
    const current = this.#current.groupId
    if (current !== undefined && !this.#continuation.isMoving) await this.#goAfter(current)
  }

  /** The meeting has another group. */
  async movedOn({ groupId, next }: ServerNotices['continued']): Promise<void> {
    const { place } = this.#current
    const current = this.#current.groupId
    if (current === undefined) {
      // We were on the way in.
      if (!this.#entrance.isOver(groupId)) return
      this.#nowIn({ groupId: next, epoch: 1, head: 0 })
      return this.goOn()
    }
    if (!equalBytes(current, groupId)) return
    if (place?.isFrozen !== true) return this.#goAfter(current)
    this.#nowIn({ groupId: next, epoch: 1, head: 0 })
    await this.#continuation.arrived(next, [])
  }

  /** Whether this group is over, and has been continued by that in which we are. */
  isBehindUs(groupId: Bytes): boolean {
    return this.#behind !== undefined && equalBytes(groupId, this.#behind)
  }

  /**
   * Has the meeting go on in another group, with this cipher suite.
   * @throws MembersUnreadyError, SessionError
   */
  async reinitialise(cipherSuite: number, timeoutMs: number): Promise<void> {
    await this.#reinitialising.wish(cipherSuite, timeoutMs)
  }

  /** Resolves once our group is none that is about to be continued by another. */
  async settled(): Promise<void> {
    await this.#current.settled()
  }

  /** Does what comes next on a connection that has entered. */
  async goOn(): Promise<void> {
    if (this.#continuation.isMoving) return this.#continuation.goOn()
    if (this.place !== undefined) return this.#follow(this.place)
    const entered = this.#entered as Entered
    const groupId = entered.group?.groupId
    const resumed = await this.#own.resume(groupId)
    if (resumed !== undefined && groupId !== undefined) {
      const { own, membership, minEpoch, next } = resumed
      if (next !== undefined) this.#continuation.restore(next)
      if (membership !== undefined) return this.#begin(membership, own, { restored: true })
      if (equalBytes(groupId, resumed.groupId)) {
        this.#entrance.returnTo({ groupId, own, minEpoch, isRemoved: false })
      } else {
        own.signatureKey.wipe()
        this.#take(groupId, this.#continuation.giveLeafIn(groupId))
      }
    }
    await this.#entrance.goOn(entered)
  }

  /** A committer has added us. */
  async welcomed(notice: ServerNotices['welcome']): Promise<void> {
    if (await this.#continuation.welcomed(notice)) return
    const { place } = this.#current
    // The log says what has become of our group; not asked at once, as whoever floods us gains by that.
    if (place !== undefined && !equalBytes(place.group.groupId, notice.groupId)) {
      if (!this.isBehindUs(notice.groupId)) this.#host.goOnLater()
      return
    }
    await this.#entrance.welcomed(notice)
  }

  /** Whether we were on the way into this group, which has ended. */
  isOver(groupId: Bytes): boolean {
    return this.#entrance.isOver(groupId)
  }

  /**
   * Does it in the place that we have in the group; where that is lost meanwhile, in the next.
   * @throws SessionError `session-ended`
   */
  async inPlace<T>(act: (place: Participation) => Promise<T>): Promise<T> {
    return await this.#current.act(act)
  }

  /** Wipes every secret. */
  close(): void {
    this.#current.close()
    this.#entrance.close()
    this.#continuation.close()
    this.#reinitialising.close(notInMeeting())
    void this.end()
  }

  /** Wipes everything, in the store too. */
  async end(): Promise<void> {
    await this.#own.end()
  }

  async #begin(membership: Membership, own: MeetingLeaf, beginning: Beginning): Promise<void> {
    const { group } = membership
    if (this.#current.isClosed) {
      own.signatureKey.wipe()
      return membership.close()
    }
    this.#own.taken(own)
    const { link, groups } = this.#options
    const { clock, random } = this.#options.environment
    const continuation = this.#continuation
    const environment = { link, clock, random, room: groups.room, continuation }
    const host = this.#host
    const place = new Participation(membership, beginning, environment, {
      keep: (state) => this.#own.keep(membership.group, state),
      run: (step) =>
        host.run(async () => {
          if (this.place === place) await step()
        }),
      epochBegan: (current, effect) => {
        if (this.#current.isKnown) host.epochBegan(current, effect)
        this.#reinitialising.goOn()
      },
      problem: (error) => host.problem(error),
      end: (reason, error) => host.end(reason, error),
      removed: (effect) => this.#removed(effect),
      lost: (error, isRemoved) => this.#lose(error, isRemoved),
    })
    const { restored = false, continues } = beginning
    this.#current.begin(place, restored)
    if (continues !== undefined) {
      host.continued(group, continues)
      this.#reinitialising.continued(continues.cipherSuite)
    } else if (!restored) host.entered(group, false)
    await this.#follow(place)
  }

  /**
   * A restored state may be of long ago: what is encrypted in it, those could read who have been
   * removed since. So nobody gets it before the log has been asked for what comes next.
   */
  async #follow(place: Participation): Promise<void> {
    try {
      await place.follow(this.#entered as Entered)
    } catch (error) {
      if (!isGroupOver(error) || this.place !== place) throw error
      await this.learnFate()
    }
    // Of a group that is over nobody is told any more.
    if (this.#continuation.isMoving) return
    this.#reinitialising.goOn()
    if (this.#current.isKnown || this.place !== place || this.#current.isClosed) return
    const isRestored = this.#current.becomeKnown()
    this.#host.entered(place.group, isRestored)
  }

  /** Gives up our place in the group, whose log we cannot follow or that has removed us, and comes back. */
  #lose(error: ConclaveError, isRemoved: boolean): void {
    const { place } = this.#current
    const { own } = this.#own
    if (place === undefined || own === undefined || this.#current.isClosed) return
    const { groupId, epoch } = place.group
    const { lastSeq } = place
    this.#current.leave(groupId)
    this.#continuation.lost()
    this.#own.lost({ groupId, epoch }).catch((failure: unknown) => this.#notKept(failure))
    this.#entrance.returnTo({ groupId, own, minEpoch: epoch + 1n, isRemoved })
    // When this connection entered, there may have been no group yet.
    this.#nowIn({ groupId, epoch: Number(epoch), head: lastSeq })
    this.#host.lost(error)
    this.#host.goOnLater(this.#current.pauseAfterLoss())
  }

  /** Whoever comes back after the place was given up, by himself or by others, comes as somebody new. */
  #removed(effect: MeetingEffect): void {
    if (this.#current.isKnown) {
      this.#host.end('removed', undefined, effect)
      return
    }
    this.#current.leave()
    this.#continuation.givenUp()
    this.#own.givenUp().catch((failure: unknown) => this.#notKept(failure))
    this.#host.run(() => this.goOn())
  }

  #nowIn(group: GroupSummary): void {
    this.#entered = { ...(this.#entered as Entered), group }
  }

  /** A request or a notice says that the meeting has gone on. */
  async #goAfter(groupId: Bytes): Promise<void> {
    const fate = await this.#followFate(groupId)
    if (fate === 'ended') this.#host.end('closed', closedByKeyserver())
    if (fate === 'present') this.#host.goOnLater()
  }

  /** Where another group continues this one, we are on the way there afterwards. */
  async #followFate(groupId: Bytes): Promise<GroupFate['kind']> {
    const fate = await askFate(this.#options.link, groupId, this.place?.lastSeq ?? 0)
    if (fate.kind !== 'moved' || this.#current.isClosed) return fate.kind
    const { group, missed } = fate
    if (this.place !== undefined) {
      this.#nowIn(group)
      await this.#continuation.arrived(group.groupId, missed)
      const returningTo = this.place === undefined ? this.#current.groupId : undefined
      const isLost = returningTo !== undefined && equalBytes(returningTo, groupId)
      if (!isLost || this.#current.isClosed) return 'moved'
    }
    const own = this.#continuation.giveLeafIn(group.groupId)
    this.#enterAnew(group.groupId, own, missedContinuation())
    return 'moved'
  }

  /** Our place in the group is over; we have one in that which continues it. */
  async #continued(group: Group, own: MeetingLeaf, agreed: Agreed): Promise<void> {
    const { place, isKnown, isClosed } = this.#current
    if (place === undefined || isClosed) return group.close()
    this.#behind = place.group.groupId
    this.#current.leave()
    this.#nowIn({ groupId: group.groupId, epoch: Number(group.epoch), head: 0 })
    await this.#begin(new Membership(group, 0), own, isKnown ? { continues: agreed } : {})
  }

  /** The meeting goes on in this group, into which no Welcome leads us. */
  #enterAnew(groupId: Bytes, own: MeetingLeaf | undefined, why: ConclaveError): void {
    const { place, isKnown, groupId: behind } = this.#current
    this.#behind = behind
    if (behind !== undefined) this.#entrance.isOver(behind)
    this.#nowIn({ groupId, epoch: 1, head: 0 })
    this.#take(groupId, own)
    if (place !== undefined && isKnown) this.#host.lost(why)
    this.#host.goOnLater(0)
  }

  /** Enters this group next, with the leaf that somebody may have made for us, where there is one. */
  #take(groupId: Bytes, own: MeetingLeaf | undefined): void {
    this.#current.leave(groupId)
    if (own === undefined) {
      this.#own.givenUp().catch((failure: unknown) => this.#notKept(failure))
      return
    }
    this.#own.taken(own)
    this.#own.offering(own, groupId).catch((failure: unknown) => this.#notKept(failure))
    this.#entrance.returnTo({ groupId, own, minEpoch: 0n, isRemoved: false })
  }

  #notKept(error: unknown): void {
    if (error instanceof ConclaveError) this.#host.problem(error)
    else this.#host.failed(error)
  }
}
