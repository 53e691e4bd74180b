import { MediaError } from './error.ts'
import type { PageMessage, TransformOptions } from './messages.ts'
import type { MediaWorker } from './worker/createWorker.ts'

/** How the encoded frames of a sender or receiver get to the worker and back. */
export interface FrameRoute {
  /** What connections need to be made with. */
  readonly settings: RTCConfiguration
  /** Whether frames can be led to another worker when theirs is gone. */
  readonly isRenewable: boolean
  isTaken(target: RTCRtpSender | RTCRtpReceiver): boolean
  /** @throws MediaError `media-streams-unavailable` */
  attach(
    target: RTCRtpSender | RTCRtpReceiver,
    worker: MediaWorker,
    options: TransformOptions,
  ): void
}

/** W3C webrtc-encoded-transform. */
const scriptTransforms: FrameRoute = {
  settings: {},
  isRenewable: true,
  isTaken: ({ transform }) => Boolean(transform),
  attach(target, worker, options) {
    target.transform = new RTCRtpScriptTransform(worker, options)
  },
}

/** What came before, and what some browsers have alone. Streams are given away once. */
interface EncodedStreams {
  createEncodedStreams(): { readonly readable: ReadableStream; readonly writable: WritableStream }
}

const takenStreams = new WeakSet<RTCRtpSender | RTCRtpReceiver>()

const encodedStreams: FrameRoute = {
  settings: { encodedInsertableStreams: true } as RTCConfiguration,
  isRenewable: false,
  isTaken: (target) => takenStreams.has(target),
  attach(target, worker, options) {
    let streams: ReturnType<EncodedStreams['createEncodedStreams']>
    try {
      streams = (target as unknown as EncodedStreams).createEncodedStreams()
    } catch (cause) {
      throw new MediaError('media-streams-unavailable', 'the encoded frames cannot be had', {
        cause,
        remedy: 'make connections with the settings of mediaPlatform()',
      })
    }
    takenStreams.add(target)
    const { readable, writable } = streams
    const message: PageMessage = { type: 'attach', options, readable, writable }
    worker.postMessage(message, [readable, writable])
  },
}

/** What this browser has; undefined where encoded frames cannot be transformed. */
export function frameRoute(): FrameRoute | undefined {
  if (typeof RTCRtpScriptTransform !== 'undefined') return scriptTransforms
  const hasStreams =
    typeof RTCRtpSender !== 'undefined' && 'createEncodedStreams' in RTCRtpSender.prototype
  return hasStreams ? encodedStreams : undefined
}
