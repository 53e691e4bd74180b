import type { MediaSource, RoomClosed } from '@conclave/core/mediaSignalling'
import type { Participant } from '../session/roster.ts'

/** A track that is received and decrypted. */
export interface RemoteTrack {
  readonly track: MediaStreamTrack
  /** Whose frames pass: any other's fail authentication. */
  readonly participant: Participant
  readonly source: MediaSource
  readonly receiver: RTCRtpReceiver
}

export interface CallEvents {
  track: (remote: RemoteTrack) => void
  trackEnded: (remote: RemoteTrack) => void
  /** The sender, or the SFU in its name, has paused the track. */
  trackPaused: (remote: RemoteTrack) => void
  trackResumed: (remote: RemoteTrack) => void
  /** A producer of a leaf that is not in the roster; it is received once the roster has it. */
  unknownSender: (claim: { readonly leaf: number; readonly source: MediaSource }) => void
  /** A track could not be received. */
  trackFailed: (failure: {
    readonly leaf: number
    readonly source: MediaSource
    readonly error: Error
  }) => void
  /** A publication is over: closed, its track has ended, or it failed under a new leaf. */
  publicationEnded: (end: { readonly source: MediaSource; readonly error?: Error }) => void
  /** The call is over; another can be connected. */
  closed: (end: {
    readonly code: 'left' | 'connection-lost' | 'transport-failed' | RoomClosed['code']
  }) => void
}
