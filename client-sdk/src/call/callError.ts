import { ConclaveError } from '@conclave/core'

export type CallErrorCode =
  /** The SFU cannot be reached, or did not answer in time. */
  | 'sfu-unreachable'
  /** The SFU refused; `detail` has its code. */
  | 'sfu-refused'
  /** What the SFU said cannot be understood. */
  | 'sfu-protocol-violated'
  /** This browser has no handler for WebRTC as the SFU speaks it. */
  | 'browser-unsupported'
  /** Browser and SFU share no codec whose frames can be encrypted. */
  | 'no-common-codec'
  /** The call is over. */
  | 'call-closed'
  /** A track of this source is being published. */
  | 'source-in-use'
  /** The track's kind is not the source's. */
  | 'source-mismatch'
  /** Browser and SFU do not share this codec, or no rule encrypts its frames. */
  | 'codec-unavailable'
  /** The SFU does not carry these layers of this codec so that anybody could decode them. */
  | 'layers-unavailable'
  /** The browser or the SFU could not carry the track; nothing of it was sent. */
  | 'publish-failed'

export class CallError extends ConclaveError<CallErrorCode> {
  override readonly name = 'CallError'
  /** The SFU's refusal code. */
  readonly detail: string | undefined

  constructor(
    code: CallErrorCode,
    message: string,
    options: { cause?: unknown; remedy?: string; detail?: string } = {},
  ) {
    super(code, message, options)
    this.detail = options.detail
  }
}
