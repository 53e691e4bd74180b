import { type Clock, ConclaveError } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { SecretSuite } from '@conclave/core/crypto/secret'
import type { GroupSummary, ServerNotices } from '@conclave/core/delivery'
import type { MeetingTrust } from '@conclave/core/meeting'
import type { Group } from '@conclave/core/mls/group'
import type { Invitation } from '../directory/invitation.ts'
import type { RoomEnvironment } from '../rooms/roomBond.ts'
import { type Agreed, Continuation } from './continuation.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import type { Entered } from './enterMeeting.ts'
import { Entrance, type JoinProgress } from './entrance.ts'
import type { MeetingIdentity, MeetingLeaf } from './identity.ts'
import type { MeetingEffect } from './meetingEffect.ts'
import { Membership } from './membership.ts'
import { OwnPlace } from './ownPlace.ts'
import { type Beginning, Participation } from './participation.ts'
import { closedByKeyserver, missedContinuation } from './participationErrors.ts'
import { Reinitialising } from './reinitialising.ts'
import type { SessionEnvironment } from './sessionEnvironment.ts'
import { isContinued, isTransient, refusal, SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'

/** A place that was kept for so long was a good one. */
const steadyMs = 60_000
/** The longest pause before a place that is lost again and again is taken anew. */
const maxReturnPauseMs = 30_000

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
  readonly #clock: Clock
  readonly #options: TenureOptions
  readonly #host: TenureHost
  readonly #own: OwnPlace
  readonly #entrance: Entrance
  readonly #continuation: Continuation
  readonly #reinitialising: Reinitialising
  /** The group that has been continued by the one in which we are. */
  #behind: Bytes | undefined
  #entered: Entered | undefined
  #place: Participation | undefined
  /** The group whose place was lost and not taken again yet. */
  #returningTo: Bytes | undefined
  /** Where an earlier process was, until we know how the group has gone on since. */
  #restoredEpoch: bigint | undefined
  /** Those who wait for our next place. */
  #awaited: PromiseWithResolvers<Participation> | undefined
  #losses = 0
  #begunAt = 0
  #closed = false

  constructor(options: TenureOptions, host: TenureHost) {
    const { meetingId, identity, trust, invitation, environment, suite, groups, link } = options
    const { clock, random } = environment
    this.#clock = clock
    this.#options = options
    this.#host = host
    const problem = (error: ConclaveError) => host.problem(error)
    this.#own = new OwnPlace({ meetingId, identity, environment, suite, groups, problem })
    this.#entrance = new Entrance(
      {
        meetingId,
        trust,
        groups,
        suite,
        link,
        clock,
        random,
        newLeaf: () => this.#own.newLeaf(),
        invitation,
      },
      {
        run: (step) => host.run(step),
        progress: (progress) => host.progress(progress),
        problem,
        began: (group, seq, own, entry) => this.#begin(new Membership(group, seq), own, { entry }),
        offering: (own, groupId) => this.#own.offering(own, groupId),
      },
    )
    this.#reinitialising = new Reinitialising(
      { link, clock, random },
      {
        group: () => this.group,
        missing: () => this.#continuation.missing,
        run: (step) => host.run(step),
      },
    )
    this.#continuation = new Continuation(
      {
        groups,
        link,
        clock,
        newLeaf: () => this.#own.newLeaf(),
        keep: (next) => this.#own.keepNext(next),
      },
      {
        place: () => this.#place,
        run: (step) => host.run(step),
        problem,
        offered: () => this.#reinitialising.noteSilent(),
        moved: () => host.run(() => this.learnFate()),
        continued: (group, own, agreed) => this.#continued(group, own, agreed),
        enterAnew: (groupId, own, why) => this.#enterAnew(groupId, own, why),
      },
    )
  }

  /** Our part in the group, where we have a place. */
  get place(): Participation | undefined {
    return this.#place
  }

  /** The group of the current epoch, once we are in. */
  get group(): Group | undefined {
    return this.#restoredEpoch === undefined ? this.#place?.group : undefined
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
    const current = this.#groupId
    const isOurs = current === undefined || (group !== null && equalBytes(group.groupId, current))
    if (isOurs) return this.goOn()
    const fate = group === null ? 'ended' : await this.#learnFate(current)
    if (fate !== 'moved') this.#host.end('closed', closedByKeyserver())
  }

  /** The keyserver says that the group is over for what it continues in. */
  async learnFate(): Promise<void> {
    const current = this.#groupId
    if (current !== undefined && !this.#continuation.isMoving) await this.#goAfter(current)
  }

  /** The meeting has another group. */
  async movedOn({ groupId, next }: ServerNotices['continued']): Promise<void> {
    const place = this.#place
    const current = this.#groupId
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
    while (this.#place?.isFrozen === true && !this.#closed) await this.#placed()
  }

  /** Does what comes next on a connection that has entered. */
  async goOn(): Promise<void> {
    if (this.#continuation.isMoving) return this.#continuation.goOn()
    if (this.#place !== undefined) return this.#follow(this.#place)
    const entered = this.#entered as Entered
    const groupId = entered.group?.groupId
    const resumed = await this.#own.resume(groupId)
    if (resumed !== undefined && groupId !== undefined) {
      const { own, membership, minEpoch, next } = resumed
      if (next !== undefined) this.#continuation.restore(next)
      if (membership !== undefined) return this.#begin(membership, own, { restored: true })
      if (equalBytes(groupId, resumed.groupId)) {
        this.#entrance.returnTo({ groupId, own, minEpoch })
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
    const place = this.#place
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
    for (;;) {
      if (this.#closed) throw over()
      await this.settled()
      const place = this.#place ?? (await this.#placed())
      try {
        return await act(place)
      } catch (error) {
        if (this.#closed) throw over()
        if (place === this.#place) throw error
      }
    }
  }

  /** Wipes every secret. */
  close(): void {
    this.#closed = true
    this.#entrance.close()
    this.#continuation.close()
    this.#reinitialising.close(over())
    this.#place?.close()
    void this.end()
    this.#awaited?.reject(over())
  }

  /** Wipes everything, in the store too. */
  async end(): Promise<void> {
    await this.#own.end()
  }

  async #begin(membership: Membership, own: MeetingLeaf, beginning: Beginning): Promise<void> {
    const { group } = membership
    if (this.#closed) {
      own.signatureKey.wipe()
      return membership.close()
    }
    this.#own.taken(own)
    this.#returningTo = undefined
    this.#begunAt = this.#clock.now()
    const { link, groups } = this.#options
    const { random } = this.#options.environment
    const environment = {
      link,
      clock: this.#clock,
      random,
      room: groups.room,
      continuation: this.#continuation,
    }
    const host = this.#host
    const place = new Participation(membership, beginning, environment, {
      keep: (state) => this.#own.keep(membership.group, state),
      run: (step) =>
        host.run(async () => {
          if (this.#place === place) await step()
        }),
      epochBegan: (current, effect) => {
        if (this.#restoredEpoch === undefined) host.epochBegan(current, effect)
        this.#reinitialising.goOn()
      },
      problem: (error) => host.problem(error),
      end: (reason, error) => host.end(reason, error),
      removed: (effect) => this.#removed(effect),
      lost: (error) => this.#lose(error),
    })
    this.#place = place
    this.#awaited?.resolve(place)
    this.#awaited = undefined
    const { restored = false, continues } = beginning
    if (restored) this.#restoredEpoch = group.epoch
    else if (continues === undefined) host.entered(group, false)
    else {
      host.continued(group, continues)
      this.#reinitialising.continued(continues.cipherSuite)
    }
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
      if (!isContinued(error) || this.#place !== place) throw error
      await this.learnFate()
    }
    // Of a group that is over nobody is told any more.
    if (this.#continuation.isMoving) return
    this.#reinitialising.goOn()
    const restored = this.#restoredEpoch
    if (restored === undefined || this.#place !== place || this.#closed) return
    this.#restoredEpoch = undefined
    const { group } = place
    this.#host.entered(group, group.epoch === restored)
  }

  /** Gives up our place in the group, whose log we cannot follow, and takes it again. */
  #lose(error: ConclaveError): void {
    const place = this.#place
    const { own } = this.#own
    if (place === undefined || own === undefined || this.#closed) return
    const { groupId, epoch } = place.group
    const { lastSeq } = place
    place.close()
    this.#restoredEpoch = undefined
    this.#continuation.lost()
    this.#own.lost({ groupId, epoch }).catch((failure: unknown) => this.#notKept(failure))
    this.#place = undefined
    this.#returningTo = groupId
    this.#entrance.returnTo({ groupId, own, minEpoch: epoch + 1n })
    // When this connection entered, there may have been no group yet.
    this.#nowIn({ groupId, epoch: Number(epoch), head: lastSeq })
    this.#losses = this.#clock.now() - this.#begunAt < steadyMs ? this.#losses + 1 : 0
    this.#host.lost(error)
    const pause = this.#losses === 0 ? 0 : Math.min(maxReturnPauseMs, 500 * 2 ** this.#losses)
    this.#host.goOnLater(pause)
  }

  /** Whoever comes back after the place was given up, by himself or by others, comes as somebody new. */
  #removed(effect: MeetingEffect): void {
    const place = this.#place
    if (this.#restoredEpoch === undefined || place === undefined) {
      this.#host.end('removed', undefined, effect)
      return
    }
    this.#restoredEpoch = undefined
    this.#place = undefined
    place.close()
    this.#continuation.givenUp()
    this.#own.givenUp().catch((failure: unknown) => this.#notKept(failure))
    this.#host.run(() => this.goOn())
  }

  /** The group in which we are, or to which we return. */
  get #groupId(): Bytes | undefined {
    return this.#place?.group.groupId ?? this.#returningTo
  }

  #nowIn(group: GroupSummary): void {
    this.#entered = { ...(this.#entered as Entered), group }
  }

  /** A request or a notice says that the meeting has gone on. */
  async #goAfter(groupId: Bytes): Promise<void> {
    const fate = await this.#learnFate(groupId)
    if (fate === 'ended') this.#host.end('closed', closedByKeyserver())
    if (fate === 'present') this.#host.goOnLater()
  }

  /** What has become of a group: where another one continues it, we are on the way there. */
  async #learnFate(groupId: Bytes): Promise<'present' | 'moved' | 'ended'> {
    const after = this.#place?.lastSeq ?? 0
    const reply = await this.#options.link.request('resume', { groupId, after })
    if (reply.ok) return 'present'
    if (isTransient(refusal(reply))) throw refusal(reply)
    const { code, group, missed = [] } = reply
    if (code !== 'group-continued' || group === undefined) return 'ended'
    if (this.#closed) return 'moved'
    if (this.#place !== undefined) {
      this.#nowIn(group)
      await this.#continuation.arrived(group.groupId, missed)
      const isRemoved = this.#place === undefined && this.#groupId === groupId
      if (!isRemoved || this.#closed) return 'moved'
    }
    const own = this.#continuation.giveLeafIn(group.groupId)
    this.#enterAnew(group.groupId, own, missedContinuation())
    return 'moved'
  }

  /** Our place in the group is over; we have one in that which continues it. */
  async #continued(group: Group, own: MeetingLeaf, agreed: Agreed): Promise<void> {
    const before = this.#place
    if (before === undefined || this.#closed) return group.close()
    const isKnown = this.#restoredEpoch === undefined
    this.#behind = before.group.groupId
    this.#place = undefined
    this.#restoredEpoch = undefined
    before.close()
    this.#nowIn({ groupId: group.groupId, epoch: Number(group.epoch), head: 0 })
    await this.#begin(new Membership(group, 0), own, isKnown ? { continues: agreed } : {})
  }

  /** The meeting goes on in this group, into which no Welcome leads us. */
  #enterAnew(groupId: Bytes, own: MeetingLeaf | undefined, why: ConclaveError): void {
    const before = this.#place
    const isKnown = this.#restoredEpoch === undefined
    this.#behind = this.#groupId
    this.#place = undefined
    this.#restoredEpoch = undefined
    before?.close()
    if (this.#behind !== undefined) this.#entrance.isOver(this.#behind)
    this.#nowIn({ groupId, epoch: 1, head: 0 })
    this.#take(groupId, own)
    if (before !== undefined && isKnown) this.#host.lost(why)
    this.#host.goOnLater(0)
  }

  /** Enters this group next, with the leaf that somebody may have made for us, where there is one. */
  #take(groupId: Bytes, own: MeetingLeaf | undefined): void {
    this.#returningTo = groupId
    if (own === undefined) {
      this.#own.givenUp().catch((failure: unknown) => this.#notKept(failure))
      return
    }
    this.#own.taken(own)
    this.#own.offering(own, groupId).catch((failure: unknown) => this.#notKept(failure))
    this.#entrance.returnTo({ groupId, own, minEpoch: 0n })
  }

  #notKept(error: unknown): void {
    if (error instanceof ConclaveError) this.#host.problem(error)
    else this.#host.failed(error)
  }

  /** Our next place, once we have it. */
  #placed(): Promise<Participation> {
    this.#awaited ??= Promise.withResolvers()
    return this.#awaited.promise
  }
}

function over(): SessionError {
  return new SessionError('session-ended', 'we are not in the meeting')
}
