import { ConclaveError } from '@conclave/core'

export type MediaErrorCode =
  /** The browser cannot transform encoded frames, so nothing can be sent encrypted end to end. */
  | 'media-unsupported-platform'
  /** No rule says which bytes of this codec's frames may stay in clear. */
  | 'media-unsupported-codec'
  /** The sender may have sent frames in clear already. */
  | 'media-already-transmitting'
  /** The sender or receiver has a transform, of this cryptor or of somebody else. */
  | 'media-already-transformed'
  /** The browser gives encoded frames only to connections with the settings of `mediaPlatform`. */
  | 'media-streams-unavailable'
  /** The worker ended or did not answer; what it held stays silent. */
  | 'media-worker-failed'
  /** The worker would not take an epoch; `cause` says why. */
  | 'media-epoch-refused'
  | 'media-closed'

export class MediaError extends ConclaveError<MediaErrorCode> {
  override readonly name = 'MediaError'
}
