import { codecRuleFor } from './codecs/index.ts'
import { MediaError } from './error.ts'
import type { FrameRoute } from './frameRoute.ts'

/** Formats that accompany a codec and carry no media of their own. */
const AUXILIARY = /\/(rtx|red|ulpfec|flexfec-03|cn|telephone-event)$/i

/**
 * Throws where `sender` is somebody else's already: it has a transform, or it may have sent frames
 * in clear. Such a sender is left as it is.
 *
 * @throws MediaError `media-already-transformed`, `media-already-transmitting`
 */
export function checkUntouched(sender: RTCRtpSender, route: FrameRoute): void {
  if (route.isTaken(sender)) {
    throw new MediaError('media-already-transformed', 'the sender has a transform already')
  }
  const connected = sender.transport?.state === 'connected'
  const active = sender.getParameters().encodings.some((encoding) => encoding.active !== false)
  const negotiated = negotiatedCodec(sender) !== undefined
  if (connected && active && negotiated && sender.track !== null) {
    throw new MediaError('media-already-transmitting', 'the sender may have sent in clear', {
      remedy: 'protect a sender before its first negotiation',
    })
  }
}

/**
 * Throws where the codec that was negotiated has no rule. Before negotiation the codec is unknown;
 * frames of a codec without a rule are then dropped by the worker.
 *
 * @throws MediaError `media-unsupported-codec`
 */
export function checkCodec(sender: RTCRtpSender): void {
  const codec = negotiatedCodec(sender)
  if (codec === undefined || codecRuleFor(codec) !== undefined) return
  throw new MediaError('media-unsupported-codec', `no rule encrypts ${codec}`, {
    remedy: 'negotiate VP8, VP9, H.264 or AV1 for video and Opus for audio',
  })
}

function negotiatedCodec(sender: RTCRtpSender): string | undefined {
  return sender.getParameters().codecs.find(({ mimeType }) => !AUXILIARY.test(mimeType))?.mimeType
}
