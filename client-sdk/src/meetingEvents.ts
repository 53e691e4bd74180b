import type { ConclaveError } from '@conclave/core'
import type { MediaSource, MediaVerdict, ReceptionState } from './media/index.ts'
import type { KnownRoom } from './rooms/knownRooms.ts'
import type { Participant } from './session/roster.ts'
import type { Arrival, Departure } from './session/rosterChange.ts'
import type { EndReason } from './session/sessionEvents.ts'

export interface EpochView {
  readonly epoch: bigint
  readonly members: readonly Participant[]
  /** Equal for everyone who has the same view of the meeting; see `Participant.deviceKey` too. */
  readonly safetyCode: string
}

export interface MeetingEvents {
  epochChanged: (change: EpochView & { readonly committer: Participant | undefined }) => void
  participantJoined: (participant: Participant, arrival: Arrival) => void
  /** Whoever enters again with the same device, at the same leaf, has not left. */
  participantLeft: (participant: Participant, departure: Departure) => void
  /**
   * Somebody whom the user has verified is here with a device that the user has not: a new one of
   * theirs, or somebody else under their name. Those who were here when we entered have
   * `Participant.deviceChanged` and no event.
   */
  deviceChanged: (participant: Participant) => void
  /** `verified` or `deviceChanged` of a participant is another now, because of our own user. */
  verificationChanged: (participant: Participant) => void
  connectionChanged: (connected: boolean) => void
  /** Text that its sender wrote: to be escaped like any other before it is shown as markup. */
  message: (message: ChatMessage) => void
  reaction: (reaction: ChatReaction) => void
  /** Somebody has opened a breakout room and calls us into it; see `SecureMeeting.enterRoom`. */
  roomOpened: (room: RoomInvitation) => void
  /**
   * So many messages of this participant, before the one that comes next, did not come: lost on the
   * way, sent while we were away, or kept from us by a server (RFC 9750 §8.1.4).
   */
  messagesMissed: (missed: { readonly participant: Participant; readonly count: number }) => void
  /**
   * The meeting goes on in a new group, with new keys of another cipher suite: the same people with
   * other leaves, as the `epochChanged` that follows tells. Epochs count from 1 again. Receivers that
   * were unprotected follow by themselves; breakout rooms are over.
   */
  reinitialised: (change: {
    readonly cipherSuite: number
    /** Who has proposed it, as they were in the old group; undefined where an earlier process saw it. */
    readonly by: Participant | undefined
  }) => void
  /**
   * We cannot follow the meeting any more, and enter it anew. Until the next `epochChanged` nothing
   * new can be decrypted, and what we send cannot be by others.
   */
  rejoining: (error: ConclaveError) => void
  /**
   * Somebody cannot be seen or heard, or for another reason than before. Not told of what lasts less
   * than 500 ms, of a track that has had no frame yet less than 3 s; of each participant and source
   * at most once in 2 s.
   */
  mediaDegraded: (degradation: MediaDegradation) => void
  /** They can again: told at once, and always after `mediaDegraded` unless the track ends before. */
  mediaRecovered: (track: MediaTrack) => void
  /**
   * What is known of who made a participant's frames is something else now. It is found out after
   * they were shown, about a second later. `unsigned` until something else is told, and again when
   * the track has ended.
   */
  mediaAuthenticity: (authenticity: MediaAuthenticity) => void
  /** Something that a peer or server did was refused, or media cannot go on; for a log. */
  problem: (error: ConclaveError) => void
  /**
   * The last event; where the session was `closed` or `failed`, `error` says why, and where we were
   * `removed`, `departure` who asked for it and who committed it.
   */
  ended: (
    reason: EndReason,
    error: ConclaveError | undefined,
    departure: Departure | undefined,
  ) => void
}

/** One participant's source, as it is received. */
export interface MediaTrack {
  readonly participant: Participant
  readonly source: MediaSource
  /** The participant's, which names them in KIDs. */
  readonly leaf: number
  /** The epoch of the last frame that opened; undefined where none has. */
  readonly epoch: bigint | undefined
}

export interface MediaDegradation extends MediaTrack {
  readonly state: ReceptionState
  /** Since when nothing has been decoded, by the clock of `JoinOptions`, in milliseconds. */
  readonly since: number
}

export interface MediaAuthenticity extends MediaTrack {
  readonly verdict: MediaVerdict
}

export interface RoomInvitation extends KnownRoom {
  readonly openedBy: Participant
}

export interface ChatMessage {
  /** What a reaction names it by; nobody else can give it to a message. */
  readonly id: string
  readonly participant: Participant
  readonly text: string
}

export interface ChatReaction {
  readonly id: string
  readonly participant: Participant
  /** The message's id, as its sender says: there may be no such message. */
  readonly to: string
  readonly emoji: string
}
