import type { Bytes } from '@conclave/core/codec'
import type { ListJudgement, MediaSource, SignedDigestList } from '@conclave/core/sframe'
import type { MediaError } from './error.ts'
import type { ReceiverStats } from './receiveTransform.ts'
import type { SenderStats } from './sendTransform.ts'

export type { AuthenticityStats, MediaSource, MediaVerdict } from '@conclave/core/sframe'

/** What frames need to know of an MLS epoch. */
export interface EpochKeys {
  readonly epoch: bigint
  /**
   * `MLS-Exporter("SFrame 1.0 Base Key", "", AEAD.Nk)` (RFC 9605 §5.2). Taken over: unusable to
   * the caller afterwards.
   */
  readonly baseKey: Uint8Array<ArrayBuffer>
  readonly ownLeaf: number
  /** Every occupied leaf, one's own included. */
  readonly leaves: readonly number[]
  /** Leaves whose member left with this epoch, also where another member took the place. */
  readonly removedLeaves: readonly number[]
  /**
   * Grows with every frame cryptor that is made for the same leaf, and is persisted before it is
   * first used: two cryptors with one incarnation would use the same keys and counters.
   */
  readonly incarnation: number
  /**
   * For the first epoch of a group that continues another, or of another group that the meeting has
   * now: whose leaf in the old one is which in the new one. Senders that are not in it are gone.
   */
  readonly continues?: ReadonlyMap<number, number>
  /** Whether another group is about to continue this epoch's. */
  readonly isLast?: boolean
}

/** Counters of one receiver, with the receiver. */
export interface ReceivedStats extends ReceiverStats {
  readonly receiver: RTCRtpReceiver
}

export interface FrameCryptorStats {
  readonly senders: readonly SenderStats[]
  readonly receivers: readonly ReceivedStats[]
}

/** Signs and judges lists of digests with the keys of the meeting's leaves (RFC 9420 §5.1.2). */
export interface ListSignatures {
  /** Our leaf's signature; `undefined` for a list that is not of our own leaf's frames. */
  sign(list: Bytes): Promise<Bytes | undefined>
  judge(signed: SignedDigestList): Promise<ListJudgement>
}

/** What a frame cryptor asks of its meeting. */
export interface FrameCryptorHost {
  /** A sending key of this epoch has encrypted three quarters of what it may: another is needed. */
  keyWorn(epoch: bigint): void
  /**
   * The keys are lost with the thread that had them. `take` is called with the newest epoch's, under
   * an incarnation never used before; epochs that follow are installed as ever.
   */
  keysLost(error: MediaError, take: (keys: EpochKeys) => void): void
  /** Whether what is sent has its digests listed, so that others can tell who made it. */
  readonly isListing: boolean
  readonly listSignatures: ListSignatures
}

/** Encrypts and decrypts the media of one meeting. Fails closed: no frame passes it in clear. */
export interface FrameCryptor {
  /** What connections whose media it is to protect have to be made with. */
  readonly connectionSettings?: RTCConfiguration

  /**
   * Opens frames under the epoch at once and sends under it at once after a removal, else 300 ms
   * later. To be called for every epoch, in order, when its commit is confirmed.
   *
   * @throws MediaError `media-closed`. An epoch that cannot be taken is reported as a failure of
   *   the cryptor, `media-epoch-refused`.
   */
  installEpoch(keys: EpochKeys): void

  /**
   * Encrypts what `sender` sends. To be called before the sender's first negotiation, or at least
   * before its transport connects; the transform is attached before this returns its promise. The
   * sender's track is taken off it until the worker has confirmed, and stays off when this fails,
   * except that a sender already transmitting or transformed is left as it is.
   *
   * @throws MediaError `media-already-transmitting`, `media-already-transformed`,
   *   `media-unsupported-codec`, `media-streams-unavailable`, `media-worker-failed`, `media-closed`
   */
  protect(sender: RTCRtpSender, options: { readonly source: MediaSource }): Promise<void>

  /**
   * Decrypts what `receiver` gets and lets only authentic frames of that leaf and source through.
   * Resolves when the worker has confirmed. The receiver's track is disabled from the call until
   * the first authentic frame, so leave `track.enabled` alone in between. Called again for the
   * same receiver, it expects another leaf or source from then on.
   *
   * @throws MediaError `media-already-transformed`, `media-streams-unavailable`,
   *   `media-worker-failed`, `media-closed`
   */
  unprotect(
    receiver: RTCRtpReceiver,
    options: { readonly leaf: number; readonly source: MediaSource },
  ): Promise<void>

  /** @throws MediaError `media-worker-failed`, `media-closed` */
  stats(): Promise<FrameCryptorStats>

  /** Wipes the keys and ends the worker. What was attached to it carries nothing any more. */
  close(): void
}
