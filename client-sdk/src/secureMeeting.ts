import { ConclaveError } from '@conclave/core'
import type { Call } from './call/index.ts'
import type { MeetingDiagnostics } from './diagnostics.ts'
import { systemClock } from './edge/platform.ts'
import type { IsolatedEmitter } from './isolatedEmitter.ts'
import {
  checkJoinOptions,
  checkName,
  checkTimeout,
  defaultJoinTimeoutMs,
  type JoinOptions,
} from './joinOptions.ts'
import type { MediaSource } from './media/index.ts'
import type { ConnectMediaOptions, MeetingCalls } from './meetingCalls.ts'
import type {
  ChatMessage,
  ChatReaction,
  EpochView,
  MeetingEvents,
  RoomInvitation,
} from './meetingEvents.ts'
import type { MeetingMedia } from './meetingMedia.ts'
import { type MeetingNews, viewOf } from './meetingNews.ts'
import { type MeetingParts, meetingParts } from './meetingParts.ts'
import type { KnownRoom } from './rooms/knownRooms.ts'
import type { RoomBond } from './rooms/roomBond.ts'
import type { Rooms } from './rooms/rooms.ts'
import type { ChatCounts } from './session/chat.ts'
import type { HistoryEntry } from './session/history.ts'
import type { InvitedDevice } from './session/inviting.ts'
import { type MeetingRoster, participantUnknown } from './session/meetingRoster.ts'
import type { MeetingSession } from './session/meetingSession.ts'
import { defaultReinitialiseTimeoutMs } from './session/reinitialising.ts'
import { type Device, isSameDevice, type NamedDevice, type Participant } from './session/roster.ts'
import {
  compareSafetyCodes,
  type SafetyCode,
  type SafetyCodeComparison,
} from './session/safetyCode.ts'
import { SessionError } from './session/sessionError.ts'

export interface ReinitialiseOptions {
  readonly cipherSuite: number
  /** In milliseconds. */
  readonly timeoutMs?: number
}

/**
 * An end-to-end encrypted meeting, as one participant has it.
 *
 *     const meeting = await SecureMeeting.join({ keyserver, meetingId, token, identity, trust })
 *     await meeting.protect(rtpSender, { source: 'camera' })
 *     meeting.on('epochChanged', ({ members, safetyCode }) => render(members, safetyCode))
 *     await meeting.leave()
 */
export class SecureMeeting {
  readonly #events: IsolatedEmitter<MeetingEvents>
  readonly #session: MeetingSession
  readonly #news: MeetingNews
  readonly #roster: MeetingRoster
  readonly #media: MeetingMedia
  readonly #rooms: Rooms<SecureMeeting>
  readonly #calls: MeetingCalls

  private constructor(parts: MeetingParts<SecureMeeting>) {
    this.#events = parts.events
    this.#session = parts.session
    this.#news = parts.news
    this.#roster = parts.roster
    this.#media = parts.media
    this.#rooms = parts.rooms
    this.#calls = parts.calls
  }

  /**
   * Enters the meeting: founds its group if it has none, else waits to be added. Resolves once the
   * meeting's keys are there.
   *
   * @throws AccessError `url-invalid`, `insecure-url`; SessionError `argument-invalid`,
   *   `join-timeout`, `keyserver-refused`, `platform-unsupported`, `store-…`; MeetingError
   *   `meeting-terms-differ` and others where the group is not what `trust` says; MlsError where
   *   the keyserver hands out a group that is not valid
   */
  static async join(options: JoinOptions): Promise<SecureMeeting> {
    checkJoinOptions(options)
    return SecureMeeting.#enter(options)
  }

  static async #enter(options: JoinOptions, room?: RoomBond): Promise<SecureMeeting> {
    const { clock = systemClock, joinTimeoutMs = defaultJoinTimeoutMs } = options
    const meeting = new SecureMeeting(meetingParts(options, room, SecureMeeting.#enter))
    const cancel = clock.setTimer(joinTimeoutMs, () =>
      meeting.#session.abandon(
        new SessionError('join-timeout', `nobody let us in within ${joinTimeoutMs} ms`, {
          cause: meeting.#session.setback,
          remedy: 'Check that the keyserver can be reached and that somebody is in the meeting.',
        }),
      ),
    )
    try {
      void meeting.#start()
      await meeting.#news.entered
    } finally {
      cancel()
    }
    return meeting
  }

  /** The current epoch; the last one once the meeting has ended. */
  get view(): EpochView {
    return viewOf(this.#roster)
  }

  get self(): Participant {
    return this.#roster.current.self as Participant
  }

  /** The devices of each identity in the current epoch. */
  get people(): ReadonlyMap<string, readonly Device[]> {
    return this.#roster.current.people
  }

  /** The current epoch's, to be read or shown to others. */
  get safetyCode(): SafetyCode {
    // `join` resolves with the first epoch.
    return this.#roster.safetyCode as SafetyCode
  }

  /** The newest thousand of what has happened here, for `describeHistory`; oldest first. */
  get history(): readonly HistoryEntry[] {
    return this.#roster.history
  }

  on<E extends keyof MeetingEvents>(event: E, listener: MeetingEvents[E]): this {
    this.#events.on(event, listener)
    return this
  }

  off<E extends keyof MeetingEvents>(event: E, listener: MeetingEvents[E]): this {
    this.#events.off(event, listener)
    return this
  }

  /**
   * Encrypts what an RTCRtpSender sends; to be called before it is negotiated. The track is held
   * until the worker has confirmed.
   * @throws MediaError, SessionError `session-ended`
   */
  async protect(sender: RTCRtpSender, options: { readonly source: MediaSource }): Promise<void> {
    const protection = await this.#media.protection()
    await protection.protect(sender, options)
  }

  /**
   * Decrypts what an RTCRtpReceiver gets, and lets only frames of this participant through.
   * @throws MediaError, SessionError `session-ended`, `participant-unknown`
   */
  async unprotect(
    receiver: RTCRtpReceiver,
    { participant, source }: { readonly participant: Participant; readonly source: MediaSource },
  ): Promise<void> {
    const { leaf } = participant
    const current = this.participantAt(leaf)
    if (current === undefined || !isSameDevice(current, participant)) {
      throw participantUnknown(leaf)
    }
    const protection = await this.#media.protection()
    await protection.unprotect(receiver, { leaf, source })
  }

  /**
   * Why somebody can or cannot be seen or heard here, and what is sent: states and counters, never
   * keys or content; also after the meeting has ended. `formatDiagnostics` makes a line of it.
   */
  getDiagnostics(): Promise<MeetingDiagnostics> {
    return this.#media.diagnostics()
  }

  /**
   * Joins the meeting's room on an SFU of Conclave's. From then on the SFU's connection carries the
   * delivery protocol too, relayed unread to the keyserver, until the call is over; with
   * `relayDelivery: false` the keyserver's own connection stays.
   *
   * @throws CallError, AccessError, MediaError, SessionError `session-ended`
   */
  connectMedia(options: ConnectMediaOptions): Promise<Call> {
    return this.#calls.connect(options)
  }

  /** Who holds a leaf in the current epoch. */
  participantAt(leaf: number): Participant | undefined {
    return this.#roster.current.at(leaf)
  }

  /** Every leaf of a person in the current epoch: all that has to be removed with them. */
  leavesOf(identity: string): readonly number[] {
    return this.#roster.current.leavesOf(identity)
  }

  /**
   * Compares the `qr` of another participant's safety code with ours, in constant time.
   * @throws SessionError `safety-code-invalid` where it is none
   */
  compareSafetyCode(scanned: string): SafetyCodeComparison {
    return compareSafetyCodes(this.safetyCode, scanned)
  }

  /**
   * What two users compare to verify each other's devices: 60 decimal digits in groups of five, the
   * same for both and in every meeting.
   * @throws SessionError `argument-invalid` where it is our own device
   */
  fingerprintWith(participant: NamedDevice): string {
    return this.#roster.fingerprintWith(participant)
  }

  /**
   * Remembers in the store, for all meetings, that the user has verified this participant's device.
   * @throws SessionError `participant-unknown`, `argument-invalid` where it is our own device,
   *   `session-ended`, `store-unavailable`
   */
  async verify(participant: Participant): Promise<void> {
    await this.#judge(participant, true)
  }

  /**
   * Forgets it.
   * @throws SessionError as `verify` does
   */
  async unverify(participant: Participant): Promise<void> {
    await this.#judge(participant, false)
  }

  /**
   * Writes to everyone who is there, end-to-end encrypted; the message's id, once it has been passed
   * on. Nobody gets it later: whoever is away sees that they have missed it.
   * @throws SessionError `argument-invalid` beyond 8192 bytes of UTF-8, `message-unsent`,
   *   `keyserver-refused`, `session-ended`
   */
  send({ text }: Pick<ChatMessage, 'text'>): Promise<string> {
    return this.#session.chat.send({ kind: 'chat', text })
  }

  /**
   * Reacts to a message, also one of our own; the reaction's id.
   * @throws what `send` throws
   */
  react({ to, emoji }: Pick<ChatReaction, 'to' | 'emoji'>): Promise<string> {
    return this.#session.chat.send({ kind: 'reaction', to, emoji })
  }

  /** How many messages that came were dropped without a word. */
  get messagesDropped(): ChatCounts {
    return this.#session.chat.counts
  }

  /**
   * Adds the devices of somebody who is away, with KeyPackages that those have published
   * (`DeviceDirectory`); needs a token that grants `invite`. Resolves with the devices that were
   * added: none where all of them are here already. Whoever does not come within the keyserver's
   * grace period is taken out again, and the Welcome stays for them as an invitation. While we are
   * entering the meeting anew it waits.
   *
   * @throws SessionError `invitee-unknown`, `keyserver-refused`, `keyserver-unreachable`,
   *   `argument-invalid`, `session-ended`
   */
  async invite(identity: string): Promise<readonly InvitedDevice[]> {
    checkName('identity', identity)
    return await this.#session.invite(identity)
  }

  /**
   * Removes somebody with all their devices; needs a token that grants `remove`. Resolves once the
   * keyserver has proposed it, with the signed word that we asked; they are out when somebody's
   * commit begins the next epoch, as `participantLeft` tells.
   *
   * @throws SessionError `participant-unknown`, `argument-invalid` where it is ourselves,
   *   `keyserver-refused` with the detail `token-grant-missing`, `keyserver-unreachable`,
   *   `session-ended`
   */
  async remove(identity: string): Promise<void> {
    checkName('identity', identity)
    if (this.#news.over !== undefined) throw this.#news.over
    if (identity === this.self.identity) {
      throw new SessionError('argument-invalid', 'whoever wants to go leaves')
    }
    await this.#session.remove(identity)
  }

  /**
   * Has the meeting go on in a new group with another cipher suite, or a fresh one of the same: all
   * keys are new, and nothing of the old group's is used any more. It begins once every member's
   * device has prepared for it; whoever is away is removed first, as always. Resolves once we are in
   * the new group, which `reinitialised` tells everybody. Where it fails the meeting goes on as it is.
   *
   * @param options `cipherSuite`: RFC 9420 §17.1, of those that sign with Ed25519 (1 and 3);
   *   `timeoutMs`: how long the members have, 60 s where not given
   * @throws MembersUnreadyError `members-silent`, `suite-unsupported`; SessionError
   *   `argument-invalid` also in a breakout room, `keyserver-refused`, `session-ended`
   */
  async reinitialise(options: ReinitialiseOptions): Promise<void> {
    const { cipherSuite, timeoutMs = defaultReinitialiseTimeoutMs } = options
    checkTimeout('timeoutMs', timeoutMs)
    if (this.#news.over !== undefined) throw this.#news.over
    await this.#session.reinitialise(cipherSuite, timeoutMs)
  }

  /**
   * Opens a breakout room for ourselves and for some of those who are here, and enters it: a meeting
   * of its own, with its own keys, roster and safety code, that nobody else gets into. They are told
   * by `roomOpened`, also when they come later. Whoever leaves this meeting leaves its rooms.
   *
   * @param name 1 to 256 bytes of UTF-8; everyone in this meeting could read it
   * @param participants whom it is for, all their devices included: 383 people at most
   * @throws SessionError `argument-invalid`, `message-unsent` where nobody could be told,
   *   `session-ended`, and what `join` throws
   */
  openRoom(
    name: string,
    participants: readonly Pick<Participant, 'identity'>[],
  ): Promise<SecureMeeting> {
    return this.#rooms.open(
      name,
      participants.map(({ identity }) => identity),
    )
  }

  /**
   * The breakout rooms of this meeting that we were called into or have opened, also before a crash;
   * nobody may be in there any more.
   * @throws SessionError `session-ended`, `store-…`
   */
  rooms(): Promise<readonly KnownRoom[]> {
    return this.#rooms.known()
  }

  /**
   * Enters a breakout room that `roomOpened` told of; also again, after having left it.
   * @throws SessionError `room-unknown`, `argument-invalid` where we are in it, `session-ended`, and
   *   what `join` throws
   */
  enterRoom({ id }: Pick<RoomInvitation, 'id'>): Promise<SecureMeeting> {
    return this.#rooms.enter(id)
  }

  /**
   * Leaves, and its rooms first: the others rotate their keys, and ours are wiped. Safe to call
   * twice.
   */
  async leave(): Promise<void> {
    await this.#rooms.close(new SessionError('meeting-closed', 'we have left the meeting'))
    await this.#session.leave()
  }

  /** Who is verified must be known before anybody is shown. */
  async #start(): Promise<void> {
    try {
      await this.#roster.load()
    } catch (cause) {
      const failed = () => new SessionError('store-unavailable', 'the store failed', { cause })
      return this.#session.abandon(cause instanceof ConclaveError ? cause : failed())
    }
    if (this.#news.over !== undefined) return
    try {
      this.#session.start()
    } catch (cause) {
      const why = 'the way to the keyserver failed'
      this.#session.abandon(new SessionError('session-ended', why, { cause }))
    }
  }

  async #judge(participant: Participant, verified: boolean): Promise<void> {
    if (this.#news.over !== undefined) throw this.#news.over
    const changed = await this.#roster.judge(participant, verified)
    if (this.#news.over !== undefined) return
    for (const each of changed) this.#events.emit('verificationChanged', each)
  }
}
