import { type Clock, ConclaveError, Lane } from '@conclave/core'
import { equalBytes } from '@conclave/core/codec'
import { rememberingCrypto } from '@conclave/core/crypto/secret'
import { protocolMinor, protocolVersion } from '@conclave/core/delivery'
import {
  type MeetingTrust,
  maxAddsPerCommit,
  mediaParameters,
  meetingPolicy,
} from '@conclave/core/meeting'
import { type Group, padme } from '@conclave/core/mls/group'
import type { Invitation } from '../directory/invitation.ts'
import type { RoomBond } from '../rooms/roomBond.ts'
import { Chat, chatRetention } from './chat.ts'
import { DeliveryLink } from './deliveryLink.ts'
import { suiteOf } from './enterMeeting.ts'
import { type MeetingIdentity, suitesFor } from './identity.ts'
import { addClaimed, claimDevices, type InvitedDevice, inviteeUnknown } from './inviting.ts'
import type { MeetingEffect } from './meetingEffect.ts'
import type { Notice } from './noticeQueue.ts'
import { NoticeReader } from './noticeReader.ts'
import { closedByKeyserver, notInMeeting } from './participationErrors.ts'
import { requestRemoval } from './removalRequests.ts'
import type { SessionEnvironment } from './sessionEnvironment.ts'
import { isGroupOver, isTransient, isUnreachable, refusal, SessionError } from './sessionError.ts'
import type { EndReason, SessionEvents } from './sessionEvents.ts'
import type { SessionStore } from './store.ts'
import { Tenure } from './tenure.ts'
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

/** How long `leave` waits for its own removal to be on the log. */
const leaveTimeoutMs = 2_000
/** The pause before going on after the keyserver could not do something for now. */
const retryMs = 1_000
/** Remembered for each leaf: a KeyPackage's three, and that of the leaf that takes its place. */
const signaturesPerLeaf = 4

/**
 * One member's part in one meeting, from entering it to the end. All that happens runs through one
 * lane, in the order in which it came.
 */
export class MeetingSession {
  readonly chat: Chat
  readonly #options: SessionOptions
  readonly #events: SessionEvents
  readonly #clock: Clock
  readonly #lane = new Lane()
  readonly #link: DeliveryLink
  readonly #notices: NoticeReader
  readonly #tenure: Tenure
  #cancelRetry: (() => void) | undefined
  #setback: ConclaveError | undefined
  #ended = false

  /** @throws SessionError `platform-unsupported` */
  constructor(options: SessionOptions, transport: DeliveryTransport, events: SessionEvents) {
    const { meetingId, identity, trust, environment, invitation, room } = options
    this.#options = options
    this.#events = events
    this.#clock = environment.clock
    const problem = (error: ConclaveError) => events.problem(error)
    this.#link = new DeliveryLink(transport, {
      connected: () => {
        events.connectionChanged(true)
        this.#run(() => this.#enter())
      },
      disconnected: () => events.connectionChanged(false),
      rejected: (error) => this.#end('failed', error),
      successorRejected: problem,
      notice: (name, notice) => this.#notices.came({ name, notice } as Notice),
    })
    this.#notices = new NoticeReader({
      run: (step) => this.#run(step),
      handle: (notice) => this.#handle(notice),
      handled: () => this.#tenure.place?.reconsider(),
      // Not asked for at once, because whoever floods us gains by that.
      dropped: () => this.#retryLater(),
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
    this.#tenure = new Tenure(
      {
        meetingId,
        identity,
        trust,
        invitation,
        environment,
        suite: suiteOf(environment.crypto),
        groups: {
          // The same leaves are met again: by whoever tries again to enter, and in commits of others.
          crypto: rememberingCrypto(
            environment.crypto,
            () => signaturesPerLeaf * this.#leavesMetAgain,
          ),
          clock: environment.clock,
          policy: meetingPolicy({ meetingId, trust, parent: room }),
          preSharedKey: (id) => room?.preSharedKey(id),
          room,
          retention: chatRetention,
          // How long a message is would tell too much of short ones.
          padding: padme,
        },
        link: this.#link,
      },
      {
        run: (step) => this.#run(step),
        goOnLater: (pauseMs) => this.#retryLater(pauseMs),
        progress: (progress) => events.progress(progress),
        problem,
        entered: (group, restored) => {
          this.chat.entered(group, restored)
          events.epochBegan(group, undefined)
        },
        epochBegan: (group, effect) => {
          this.chat.epochBegan(group)
          events.epochBegan(group, effect)
        },
        continued: (group, agreed) => {
          this.chat.entered(group, false)
          events.continued(group, agreed)
        },
        lost: (error) => {
          this.chat.lost()
          events.lost(error)
        },
        failed: (error) => this.#failed(error),
        end: (reason, error, removal) => this.#end(reason, error, removal),
      },
    )
  }

  /** The group of the current epoch, once we are in. */
  get group(): Group | undefined {
    return this.#tenure.group
  }

  /**
   * For what belongs to our place in the meeting, and goes with it.
   * @throws SessionError `session-ended` before we are in
   */
  get store(): SessionStore {
    const { store } = this.#tenure
    if (store === undefined) throw notInMeeting()
    return store
  }

  /** What kept the session from going on when it last tried. */
  get setback(): ConclaveError | undefined {
    return this.#setback
  }

  start(): void {
    this.#options.room?.watch({
      parentChanged: () => this.#run(async () => this.#tenure.place?.parentChanged()),
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
    const claimed = await this.#tenure.inPlace(({ group }) =>
      claimDevices(this.#link, group, identity, problem),
    )
    const added = await this.#tenure.inPlace((place) => addClaimed(place, claimed))
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
    await this.#tenure.inPlace(({ group }) => requestRemoval(this.#link, group, identity))
  }

  /**
   * Has the meeting go on in another group, with this cipher suite.
   * @throws MembersUnreadyError; SessionError `argument-invalid`, `keyserver-refused`,
   *   `session-ended`
   */
  async reinitialise(cipherSuite: number, timeoutMs: number): Promise<void> {
    const { environment, room } = this.#options
    if (this.#ended) throw notInMeeting()
    if (room !== undefined) {
      throw new SessionError('argument-invalid', 'a breakout room is opened anew instead')
    }
    const suites = suitesFor(environment.crypto, suiteOf(environment.crypto))
    if (!suites.includes(cipherSuite)) {
      throw new SessionError('argument-invalid', `cipherSuite must be one of ${suites.join(', ')}`)
    }
    await this.#tenure.reinitialise(cipherSuite, timeoutMs)
  }

  /** A key of this epoch has protected nearly as much as it may. */
  keyWorn(epoch: bigint): void {
    this.#tenure.place?.keyWorn(epoch)
  }

  /**
   * Says goodbye, waits for the log to have it, and wipes everything, in the store too.
   * @param why the meeting is over for us, where it is not our user who leaves
   */
  async leave(why?: ConclaveError): Promise<void> {
    if (this.#ended) return await this.#tenure.end()
    const said = this.#tenure
      .settled()
      .then(() => this.#lane.run(async () => this.#tenure.place?.sayGoodbye()))
      .catch(() => {})
    const waited = Promise.withResolvers<void>()
    const cancel = this.#clock.setTimer(leaveTimeoutMs, waited.resolve)
    await Promise.race([said, waited.promise])
    cancel()
    this.#end(why === undefined ? 'left' : 'closed', why)
    await this.#tenure.end()
  }

  /** Ends without a word, as `join` does when it is given up. */
  abandon(error: ConclaveError): void {
    this.#end('failed', error)
  }

  /** How many leaves at once: those of a tree that we enter or take our place in again, or of Adds. */
  get #leavesMetAgain(): number {
    const members = this.group?.public.tree.memberCount ?? 2 ** mediaParameters.leafBits
    return Math.max(members, maxAddsPerCommit)
  }

  /** One step of the session. What goes wrong in it never reaches the caller of whoever caused it. */
  #run(step: () => Promise<void>): void {
    void this.#lane.run(async () => {
      if (this.#ended) return
      const { place } = this.#tenure
      try {
        await step()
      } catch (error) {
        // Of a place that was lost meanwhile nothing matters any more; in another one it does.
        const concernsUs = place === undefined || this.#tenure.place !== undefined
        if (!this.#ended && concernsUs) this.#failed(error)
      }
    })
  }

  #failed(error: unknown): void {
    if (!(error instanceof ConclaveError)) {
      const cause = error
      this.#end('failed', new SessionError('session-ended', 'the session failed', { cause }))
    } else if (isGroupOver(error)) {
      // Whoever is only on the way in is told of it, and then enters again.
      if (this.#tenure.hasGroup) this.#run(() => this.#tenure.learnFate())
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
      this.#run(() => (this.#link.entered ? this.#tenure.goOn() : this.#enter()))
    })
  }

  async #enter(): Promise<void> {
    // Connections may have come and gone before their turn came.
    if (this.#link.entered) return
    await this.#tenure.open()
    const { meetingId } = this.#options
    const entered = await this.#link.request('enter', {
      protocol: protocolVersion,
      minor: protocolMinor,
      meetingId,
    })
    if (!entered.ok) throw refusal(entered)
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    await this.#tenure.connected(entered)
  }

  async #reserveMessages(group: Group, count: number): Promise<void> {
    await this.#lane.run(async () => {
      // In an epoch that is over nothing can be sent anyway.
      const { place } = this.#tenure
      if (place?.group === group) await place.reserveMessages(count)
    })
  }

  async #handle({ name, notice }: Notice): Promise<void> {
    // For whoever publishes KeyPackages, which a session does not.
    if (name === 'stockLow' || name === 'mail') return
    if (name === 'continued') return this.#tenure.movedOn(notice)
    if (name === 'welcome') return this.#tenure.welcomed(notice)
    const { place } = this.#tenure
    if (this.#tenure.isBehindUs(notice.groupId)) return
    if (place !== undefined && !equalBytes(notice.groupId, place.group.groupId)) {
      // Where the meeting has another group, ours is over, and its log says so. Not at once, because
      // whoever floods us with such news gains by that.
      return this.#retryLater()
    }
    switch (name) {
      case 'entry':
        return place?.entryCame(notice.entry)
      case 'waiting':
        return place?.waitingChanged(notice.joiners)
      case 'present':
        return place?.presentChanged(notice.leaves)
      case 'offered':
        return place?.offered(notice.missing)
      case 'statusWanted':
        return place?.statusWanted(notice.seq)
      case 'message':
        return place && this.chat.came(notice.message)
      case 'closed':
        if (place !== undefined) return this.#end('closed', closedByKeyserver())
        if (!this.#tenure.isOver(notice.groupId)) return
        this.#link.exited()
        await this.#enter()
    }
  }

  #end(reason: EndReason, error?: ConclaveError, removal?: MeetingEffect): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelRetry?.()
    this.#notices.clear()
    this.chat.close(error ?? new SessionError('session-ended', `the meeting is over: ${reason}`))
    this.#tenure.close()
    this.#options.room?.close()
    try {
      this.#link.close()
    } finally {
      this.#events.ended(reason, error, removal)
    }
  }
}
