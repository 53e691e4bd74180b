import type { Bytes } from '@conclave/core/codec'
import type {
  ExpectedSender,
  ListJudgement,
  MediaSource,
  SFrameErrorCode,
  SignedDigestList,
} from '@conclave/core/sframe'
import type { EncodedFrame } from './encodedFrame.ts'
import type { EpochKeys } from './frameCryptor.ts'
import type { ReceiverStats } from './receiveTransform.ts'
import type { SenderStats } from './sendTransform.ts'

/** Names one transform between page and worker. */
export type TransformId = number

/** Every transform's counters. */
export interface WorkerStats {
  readonly senders: readonly SenderStats[]
  readonly receivers: readonly (ReceiverStats & { readonly id: TransformId })[]
}

/** From the page to the worker. */
export type PageMessage =
  | {
      readonly type: 'start'
      readonly suite: number | undefined
      /** Whether what is sent has its digests listed. */
      readonly isListing: boolean
    }
  /** The buffer of `keys.baseKey` is transferred. */
  | { readonly type: 'install-epoch'; readonly keys: EpochKeys }
  | { readonly type: 'expect'; readonly id: TransformId; readonly sender: ExpectedSender }
  | { readonly type: 'detach'; readonly id: TransformId }
  /** The streams, which are transferred, of a browser without RTCRtpScriptTransform. */
  | {
      readonly type: 'attach'
      readonly options: TransformOptions
      readonly readable: ReadableStream<EncodedFrame>
      readonly writable: WritableStream<EncodedFrame>
    }
  | { readonly type: 'stats'; readonly request: number }
  /** `signature` is undefined where the page does not sign that. */
  | {
      readonly type: 'list-signed'
      readonly request: number
      readonly signature: Bytes | undefined
    }
  | {
      readonly type: 'list-judged'
      readonly request: number
      readonly judgement: ListJudgement
    }
  | { readonly type: 'ping' }
  | { readonly type: 'close' }

/** From the worker to the page. */
export type WorkerMessage =
  /** Every frame of this transform passes the worker, and for receivers, whom it expects. */
  | { readonly type: 'attached'; readonly id: TransformId }
  /** The frames of this transform have ended. */
  | { readonly type: 'detached'; readonly id: TransformId }
  /** The first frame of whom it expects has been opened. */
  | { readonly type: 'authentic'; readonly id: TransformId }
  /** Video of this sender is to go on with a key frame, which the worker cannot have made. */
  | { readonly type: 'key-frame-needed'; readonly id: TransformId }
  | { readonly type: 'epoch-refused'; readonly epoch: bigint; readonly code: SFrameErrorCode }
  /** A sending key of this epoch has encrypted three quarters of what it may. */
  | { readonly type: 'key-worn'; readonly epoch: bigint }
  | { readonly type: 'stats'; readonly request: number; readonly stats: WorkerStats }
  /** To sign the bytes of a list of digests. */
  | { readonly type: 'sign-list'; readonly request: number; readonly list: Bytes }
  /** To say whether the leaf that a list's KID names has signed it. */
  | { readonly type: 'judge-list'; readonly request: number; readonly signed: SignedDigestList }
  | { readonly type: 'pong' }
  | { readonly type: 'closed' }

/** The options of an RTCRtpScriptTransform, which the worker gets with its `rtctransform` event. */
export type TransformOptions =
  | {
      readonly id: TransformId
      readonly direction: 'send'
      readonly source: MediaSource
      /** Frames were lost with the worker that had this sender before. */
      readonly isRenewed: boolean
    }
  | { readonly id: TransformId; readonly direction: 'receive'; readonly sender: ExpectedSender }
