import type { ExpectedSender, MediaSource } from '@conclave/core/sframe'
import type { TransformId } from './messages.ts'

/** As of WebRTC Extensions, of which TypeScript's types do not know. */
interface KeyFrameSender {
  setParameters(
    parameters: RTCRtpSendParameters,
    options: { readonly encodingOptions: readonly { readonly keyFrame: boolean }[] },
  ): Promise<void>
}

/** A sender whose track goes out only while the worker has confirmed that its frames pass there. */
export class HeldSender {
  readonly id: TransformId
  readonly sender: RTCRtpSender
  readonly source: MediaSource
  #track: MediaStreamTrack | null = null

  constructor(id: TransformId, sender: RTCRtpSender, source: MediaSource) {
    this.id = id
    this.sender = sender
    this.source = source
  }

  /** Takes the track off. */
  async silence(): Promise<void> {
    this.#track = this.sender.track ?? this.#track
    await this.sender.replaceTrack(null)
  }

  /** Puts the track back; whoever gave the sender another one in the meantime keeps it. */
  async resume(): Promise<void> {
    const track = this.#track
    this.#track = null
    if (track !== null && this.sender.track === null) await this.sender.replaceTrack(track)
  }

  /** Has every layer's next frame be a key frame, where the browser can; else receivers ask. */
  makeKeyFrame(): void {
    const parameters = this.sender.getParameters()
    const encodingOptions = parameters.encodings.map(() => ({ keyFrame: true }))
    const sender: KeyFrameSender = this.sender
    // A sender that has stopped makes none.
    sender.setParameters(parameters, { encodingOptions }).catch(() => {})
  }
}

/** A receiver whose track shows nothing before a frame of its sender has been authenticated. */
export class HeldReceiver {
  readonly id: TransformId
  readonly receiver: RTCRtpReceiver
  expected: ExpectedSender
  /** Whether the track was enabled when it was taken; `undefined` while it is not held. */
  #enabled: boolean | undefined

  constructor(id: TransformId, receiver: RTCRtpReceiver, expected: ExpectedSender) {
    this.id = id
    this.receiver = receiver
    this.expected = expected
  }

  hold(): void {
    const { track } = this.receiver
    this.#enabled ??= track.enabled
    track.enabled = false
  }

  release(): void {
    if (this.#enabled === undefined) return
    this.receiver.track.enabled = this.#enabled
    this.#enabled = undefined
  }
}
