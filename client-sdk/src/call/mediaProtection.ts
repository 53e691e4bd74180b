import type { MediaSource } from '@conclave/core/mediaSignalling'
import type { Participant } from '../session/roster.ts'

/** What a call needs of the meeting's session: frame encryption, and who is who. */
export interface MediaProtection {
  ownLeaf(): number
  /** What connections need to be made with so that their frames can be encrypted. */
  readonly connectionSettings: RTCConfiguration
  /** Who holds a leaf, as the group authenticates it; undefined for an empty one. */
  participantOf(leaf: number): Participant | undefined
  /** Runs `listener` after every change of the roster or of one's own leaf; returns its end. */
  onRosterChanged(listener: () => void): () => void
  /** Attaches encryption to `sender` before it returns its promise. */
  protect(sender: RTCRtpSender, options: { readonly source: MediaSource }): Promise<void>
  /** Lets only authentic frames of that leaf and source through. */
  unprotect(
    receiver: RTCRtpReceiver,
    options: { readonly leaf: number; readonly source: MediaSource },
  ): Promise<void>
}
