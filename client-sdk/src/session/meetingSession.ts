import { type Clock, ConclaveError, Lane } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import { rememberingCrypto } from '@conclave/core/crypto/secret'
import { protocolMinor, protocolVersion } from '@conclave/core/delivery'
import { type MeetingTrust, meetingPolicy } from '@conclave/core/meeting'
import { type Group, padme } from '@conclave/core/mls/group'
import type { Invitation } from '../directory/invitation.ts'
import type { RoomBond, RoomEnvironment } from '../rooms/roomBond.ts'
import { Chat, type ChatHost, chatRetention } from './chat.ts'
import { DeliveryLink } from './deliveryLink.ts'
import { type Entered, suiteOf } from './enterMeeting.ts'
import { Entrance, type JoinProgress } from './entrance.ts'
import type { MeetingIdentity, MeetingLeaf } from './identity.ts'
import { addClaimed, claimDevices, type InvitedDevice, inviteeUnknown } from './inviting.ts'
import type { MeetingEffect } from './meetingEffect.ts'
import { Membership } from './membership.ts'
import { type Notice, NoticeQueue } from './noticeQueue.ts'
import { OwnPlace } from './ownPlace.ts'
import { type Beginning, Participation } from './participation.ts'
import { closedByKeyserver } from './participationErrors.ts'
import { requestRemoval } from './removalRequests.ts'
import type { SessionEnvironment } from './sessionEnvironment.ts'
import { isTransient, isUnreachable, refusal, SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'
import type { DeliveryTransport } from './transport.ts'

export interface SessionOptions {
  readonly meetingId: string
  readonly identity: MeetingIdentity
  readonly trust: MeetingTrust
  /** What to enter by, if it leads into the meeting's group. */
  readonly invitation?: Invitation | undefined
  /** What the meeting branches off, where it is a breakout room. */
  readonly room?: RoomBond | undefined
  readonly environment: SessionEnvironment
}

export type EndReason =
  /** `leave` was called. */
  | 'left'
  /** A commit removed us. */
  | 'removed'
  /** The keyserver ended the group. */
  | 'closed'
  /** The session cannot go on; the error says why. */
  | 'failed'

export interface SessionEvents extends Pick<ChatHost, 'received' | 'missed'> {
  /** We are in, or a commit has been confirmed; `effect` is missing for the epoch we entered in. */
  epochBegan(group: Group, effect: MeetingEffect | undefined): void
  connectionChanged(connected: boolean): void
  progress(progress: JoinProgress): void
  /** We cannot follow the group any more, and enter it anew. */
  lost(error: ConclaveError): void
  /** Something a peer or server did that was refused, and that the session survives. */
  problem(error: ConclaveError): void
  /** The last event, once; `removal` is the commit that removed us. */
  ended(
    reason: EndReason,
    error: ConclaveError | undefined,
    removal: MeetingEffect | undefined,
  ): void
}

/** How long `leave` waits for its own removal to be on the log. */
const leaveTimeoutMs = 2_000
/** The pause before going on after the keyserver could not do something for now. */
const retryMs = 1_000
/** A place that was kept for so long was a good one. */
const steadyMs = 60_000
/** The longest pause before a place that is lost again and again is taken anew. */
const maxReturnPauseMs = 30_000

/**
 * One member's part in one meeting, from entering it to the end. All that happens runs through one
 * lane, in the order in which it came.
 */
export class MeetingSession {
  readonly chat: Chat
  readonly #options: SessionOptions
  readonly #events: SessionEvents
  readonly #groups: RoomEnvironment
  readonly #clock: Clock
  readonly #lane = new Lane()
  readonly #link: DeliveryLink
  readonly #notices = new NoticeQueue()
  readonly #entrance: Entrance
  readonly #place: OwnPlace
  #entered: Entered | undefined
  #participation: Participation | undefined
  /** The group whose place was lost and not taken again yet. */
  #returningTo: Bytes | undefined
  /** Where an earlier process was, until we know how the group has gone on since. */
  #restoredEpoch: bigint | undefined
  /** Those who wait for our next place. */
  #awaited: PromiseWithResolvers<Participation> | undefined
  #losses = 0
  #begunAt = 0
  #takingNotices = false
  #cancelRetry: (() => void) | undefined
  #setback: ConclaveError | undefined
  #ended = false

  /** @throws SessionError `platform-unsupported` */
  constructor(options: SessionOptions, transport: DeliveryTransport, events: SessionEvents) {
    const { meetingId, trust, environment, invitation, room } = options
    this.#options = options
    this.#events = events
    this.#groups = {
      // The same leaves are met again: by whoever tries again to enter, and in commits of others.
      crypto: rememberingCrypto(environment.crypto),
      clock: environment.clock,
      policy: meetingPolicy({ meetingId, trust, parent: room }),
      preSharedKey: (id) => room?.preSharedKey(id),
      room,
      retention: chatRetention,
      // How long a message is would tell too much of short ones.
      padding: padme,
    }
    this.#clock = environment.clock
    const suite = suiteOf(environment.crypto)
    const { identity } = options
    const problem = (error: ConclaveError) => events.problem(error)
    this.#place = new OwnPlace({
      meetingId,
      identity,
      environment,
      suite,
      groups: this.#groups,
      problem,
    })
    this.#link = new DeliveryLink(transport, {
      connected: () => {
        events.connectionChanged(true)
        this.#run(() => this.#enter())
      },
      disconnected: () => events.connectionChanged(false),
      rejected: (error) => this.#end('failed', error),
      successorRejected: (error) => events.problem(error),
      notice: (name, notice) => this.#noticed({ name, notice } as Notice),
    })
    this.chat = new Chat({
      clock: environment.clock,
      random: environment.random,
      group: () => this.group,
      connected: () => this.#link.entered,
      send: (groupId, message) => this.#link.request('send', { groupId, message }),
      run: (step) => this.#run(step),
      received: (message) => events.received(message),
      missed: (leaf, count) => events.missed(leaf, count),
      problem,
      reserve: (group, count) => this.#reserveMessages(group, count),
      keyWorn: (epoch) => this.keyWorn(epoch),
    })
    this.#entrance = new Entrance(
      {
        meetingId,
        trust,
        groups: this.#groups,
        suite,
        link: this.#link,
        clock: this.#clock,
        random: environment.random,
        newLeaf: () => this.#place.newLeaf(),
        invitation,
      },
      {
        run: (step) => this.#run(step),
        progress: (progress) => events.progress(progress),
        problem,
        began: (group, seq, own, entry) => this.#begin(new Membership(group, seq), own, { entry }),
        offering: (own, groupId) => this.#place.offering(own, groupId),
      },
    )
  }

  /** The group of the current epoch, once we are in. */
  get group(): Group | undefined {
    return this.#restoredEpoch === undefined ? this.#participation?.group : undefined
  }

  /**
   * For what belongs to our place in the meeting, and goes with it.
   * @throws SessionError `session-ended` before we are in
   */
  get store(): SessionStore {
    const { store } = this.#place
    if (store === undefined) throw new SessionError('session-ended', 'we are not in the meeting')
    return store
  }

  /** What kept the session from going on when it last tried. */
  get setback(): ConclaveError | undefined {
    return this.#setback
  }

  start(): void {
    this.#options.room?.watch({
      parentChanged: () => this.#run(async () => this.#participation?.reconsider()),
      parentEnded: (why) => this.leave(why),
    })
    this.#link.start()
  }

  /**
   * Goes on over another way to the same keyserver as soon as that is connected: the log continues
   * where it was. Until then, and if the keyserver refuses it, the present way stays.
   */
  switchTransport(transport: DeliveryTransport): void {
    this.#link.switchTo(transport)
  }

  /**
   * Adds the devices of somebody who is away; resolves with those whom our commit has added.
   * @throws SessionError `invitee-unknown`, `keyserver-refused`, `keyserver-unreachable`,
   *   `session-ended`
   */
  async invite(identity: string): Promise<readonly InvitedDevice[]> {
    const problem = (error: ConclaveError) => this.#events.problem(error)
    const claimed = await this.#inPlace(({ group }) =>
      claimDevices(this.#link, group, identity, problem),
    )
    const added = await this.#inPlace((place) => addClaimed(place, claimed))
    const invited = claimed.filter((_, i) => added[i])
    if (claimed.length > 0 && invited.length === 0) throw inviteeUnknown(identity)
    return invited.map(({ deviceKey }) => ({ identity, deviceKey }))
  }

  /**
   * Has the keyserver propose to remove all leaves of a person.
   * @throws SessionError `participant-unknown`, `keyserver-refused`, `keyserver-unreachable`,
   *   `session-ended`
   */
  async remove(identity: string): Promise<void> {
    await this.#inPlace(({ group }) => requestRemoval(this.#link, group, identity))
  }

  /** A key of this epoch has protected nearly as much as it may. */
  keyWorn(epoch: bigint): void {
    this.#participation?.keyWorn(epoch)
  }

  /** Does it in the place that we have in the group; where that is lost meanwhile, in the next. */
  async #inPlace<T>(act: (place: Participation) => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#ended) throw over()
      const place = this.#participation ?? (await this.#placed())
      try {
        return await act(place)
      } catch (error) {
        if (this.#ended) throw over()
        if (place === this.#participation) throw error
      }
    }
  }

  /** Our next place, once we have it. */
  #placed(): Promise<Participation> {
    this.#awaited ??= Promise.withResolvers()
    return this.#awaited.promise
  }

  /**
   * Says goodbye, waits for the log to have it, and wipes everything, in the store too.
   * @param why the meeting is over for us, where it is not our user who leaves
   */
  async leave(why?: ConclaveError): Promise<void> {
    if (this.#ended) return await this.#place.end()
    const said = this.#lane.run(async () => this.#participation?.sayGoodbye()).catch(() => {})
    const waited = Promise.withResolvers<void>()
    const cancel = this.#clock.setTimer(leaveTimeoutMs, waited.resolve)
    await Promise.race([said, waited.promise])
    cancel()
    this.#end(why === undefined ? 'left' : 'closed', why)
    await this.#place.end()
  }

  /** Ends without a word, as `join` does when it is given up. */
  abandon(error: ConclaveError): void {
    this.#end('failed', error)
  }

  /** One step of the session. What goes wrong in it never reaches the caller of whoever caused it. */
  #run(step: () => Promise<void>): void {
    void this.#lane.run(async () => {
      if (this.#ended) return
      const place = this.#participation
      try {
        await step()
      } catch (error) {
        // Of a place that was lost meanwhile nothing matters any more.
        const concernsUs = place === undefined || place === this.#participation
        if (!this.#ended && concernsUs) this.#failed(error)
      }
    })
  }

  #failed(error: unknown): void {
    if (!(error instanceof ConclaveError)) {
      const cause = error
      this.#end('failed', new SessionError('session-ended', 'the session failed', { cause }))
    } else if (isUnreachable(error)) {
      // The transport connects again, and then we enter again.
      this.#setback = error
    } else if (isTransient(error)) {
      this.#setback = error
      this.#events.problem(error)
      this.#retryLater()
    } else this.#end('failed', error)
  }

  #retryLater(pauseMs = retryMs): void {
    if (this.#ended) return
    this.#cancelRetry ??= this.#clock.setTimer(pauseMs, () => {
      this.#cancelRetry = undefined
      this.#run(() => (this.#link.entered ? this.#goOn() : this.#enter()))
    })
  }

  async #enter(): Promise<void> {
    // Connections may have come and gone before their turn came.
    if (this.#link.entered) return
    await this.#place.open()
    const { meetingId } = this.#options
    const entered = await this.#link.request('enter', {
      protocol: protocolVersion,
      minor: protocolMinor,
      meetingId,
    })
    if (!entered.ok) throw refusal(entered)
    this.#entered = entered
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    const { group } = entered
    const current = this.#participation?.group.groupId ?? this.#returningTo
    if (current !== undefined && (group === null || !equalBytes(group.groupId, current))) {
      return this.#end('closed', closedByKeyserver())
    }
    await this.#goOn()
  }

  /** Does what comes next on a connection that has entered. */
  async #goOn(): Promise<void> {
    if (this.#participation !== undefined) return this.#follow(this.#participation)
    const entered = this.#entered as Entered
    const groupId = entered.group?.groupId
    const resumed = await this.#place.resume(groupId)
    if (resumed !== undefined && groupId !== undefined) {
      const { own, membership, minEpoch } = resumed
      if (membership !== undefined) return this.#begin(membership, own, { restored: true })
      this.#entrance.returnTo({ groupId, own, minEpoch })
    }
    await this.#entrance.goOn(entered)
  }

  async #begin(membership: Membership, own: MeetingLeaf, beginning: Beginning): Promise<void> {
    const { group } = membership
    if (this.#ended) return membership.close()
    this.#place.taken(own)
    this.#returningTo = undefined
    this.#begunAt = this.#clock.now()
    const { room } = this.#options
    const { random } = this.#options.environment
    const environment = { link: this.#link, clock: this.#clock, random, room }
    const participation = new Participation(membership, beginning, environment, {
      keep: (state) => this.#place.keep(membership.group, state),
      run: (step) =>
        this.#run(async () => {
          if (this.#participation === participation) await step()
        }),
      epochBegan: (current, effect) => this.#epochBegan(current, effect),
      problem: (error) => this.#events.problem(error),
      end: (reason, error) => this.#end(reason, error),
      removed: (effect) => this.#removed(effect),
      lost: (error) => this.#lose(error),
    })
    this.#participation = participation
    this.#awaited?.resolve(participation)
    this.#awaited = undefined
    if (beginning.restored === true) this.#restoredEpoch = group.epoch
    else this.#announce(group, { restored: false })
    await this.#follow(participation)
  }

  /**
   * A restored state may be of long ago: what is encrypted in it, those could read who have been
   * removed since. So nobody gets it before the log has been asked for what comes next.
   */
  async #follow(participation: Participation): Promise<void> {
    await participation.follow(this.#entered as Entered)
    const restored = this.#restoredEpoch
    if (restored === undefined || this.#participation !== participation || this.#ended) return
    this.#restoredEpoch = undefined
    const { group } = participation
    this.#announce(group, { restored: group.epoch === restored })
  }

  #announce(group: Group, { restored }: { readonly restored: boolean }): void {
    this.chat.entered(group, restored)
    this.#events.epochBegan(group, undefined)
  }

  #epochBegan(group: Group, effect: MeetingEffect | undefined): void {
    if (this.#restoredEpoch !== undefined) return
    this.chat.epochBegan(group)
    this.#events.epochBegan(group, effect)
  }

  async #reserveMessages(group: Group, count: number): Promise<void> {
    await this.#lane.run(async () => {
      // In an epoch that is over nothing can be sent anyway.
      if (this.#participation?.group === group) await this.#participation.reserveMessages(count)
    })
  }

  /** Gives up our place in the group, whose log we cannot follow, and takes it again. */
  #lose(error: ConclaveError): void {
    const participation = this.#participation
    const { own } = this.#place
    if (participation === undefined || own === undefined || this.#ended) return
    const { groupId, epoch } = participation.group
    const { lastSeq } = participation
    participation.close()
    this.#restoredEpoch = undefined
    this.#place.lost({ groupId, epoch }).catch((failure: unknown) => this.#notKept(failure))
    this.#participation = undefined
    this.#returningTo = groupId
    this.#entrance.returnTo({ groupId, own, minEpoch: epoch + 1n })
    // When this connection entered, there may have been no group yet.
    this.#entered = {
      ...(this.#entered as Entered),
      group: { groupId, epoch: Number(epoch), head: lastSeq },
    }
    this.#losses = this.#clock.now() - this.#begunAt < steadyMs ? this.#losses + 1 : 0
    this.#events.lost(error)
    const pause = this.#losses === 0 ? 0 : Math.min(maxReturnPauseMs, 500 * 2 ** this.#losses)
    this.#retryLater(pause)
  }

  /** Whoever comes back after the place was given up, by himself or by others, comes as somebody new. */
  #removed(effect: MeetingEffect): void {
    const participation = this.#participation
    if (this.#restoredEpoch === undefined || participation === undefined) {
      this.#end('removed', undefined, effect)
      return
    }
    this.#restoredEpoch = undefined
    this.#participation = undefined
    participation.close()
    this.#place.givenUp().catch((failure: unknown) => this.#notKept(failure))
    this.#run(() => this.#goOn())
  }

  #notKept(error: unknown): void {
    if (error instanceof ConclaveError) this.#events.problem(error)
    else this.#failed(error)
  }

  /** Notices wait outside the lane, where they can be bounded. */
  #noticed(notice: Notice): void {
    this.#notices.offer(notice)
    if (this.#takingNotices) return
    this.#takingNotices = true
    this.#run(() => this.#takeNotice())
  }

  async #takeNotice(): Promise<void> {
    try {
      const next = this.#notices.take()
      if (next !== undefined) await this.#handle(next)
    } finally {
      this.#takingNotices = !this.#notices.isEmpty
      if (this.#takingNotices) this.#run(() => this.#takeNotice())
      // What was dropped is asked for; not at once, because whoever floods us gains by that.
      else if (this.#notices.takeDropped()) this.#retryLater()
    }
    this.#participation?.reconsider()
  }

  async #handle({ name, notice }: Notice): Promise<void> {
    // For whoever publishes KeyPackages, which a session does not.
    if (name === 'stockLow' || name === 'mail') return
    const participation = this.#participationIn(notice.groupId)
    if (this.#participation !== undefined && participation === undefined) {
      // Where the meeting has another group, ours is over, and its log says so. Not at once, because
      // whoever floods us with such news gains by that.
      return this.#retryLater()
    }
    switch (name) {
      case 'welcome':
        return this.#entrance.welcomed(notice)
      case 'entry':
        return participation?.entryCame(notice.entry)
      case 'waiting':
        return participation?.waitingChanged(notice.joiners)
      case 'present':
        return participation?.presentChanged(notice.leaves)
      case 'statusWanted':
        return participation?.statusWanted(notice.seq)
      case 'message':
        return participation && this.chat.came(notice.message)
      case 'closed':
        if (participation !== undefined) return this.#end('closed', closedByKeyserver())
        if (!this.#entrance.isOver(notice.groupId)) return
        this.#link.exited()
        await this.#enter()
    }
  }

  #participationIn(groupId: Bytes): Participation | undefined {
    const participation = this.#participation
    return participation && equalBytes(groupId, participation.group.groupId)
      ? participation
      : undefined
  }

  #end(reason: EndReason, error?: ConclaveError, removal?: MeetingEffect): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelRetry?.()
    this.#notices.clear()
    this.#entrance.close()
    this.chat.close(error ?? new SessionError('session-ended', `the meeting is over: ${reason}`))
    this.#participation?.close()
    this.#options.room?.close()
    void this.#place.end()
    this.#awaited?.reject(over())
    try {
      this.#link.close()
    } finally {
      this.#events.ended(reason, error, removal)
    }
  }
}

function over(): SessionError {
  return new SessionError('session-ended', 'we are not in the meeting')
}
