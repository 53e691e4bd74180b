import { codecRuleFor } from './codecs/index.ts'
import { MediaError } from './error.ts'

/** Formats that accompany a codec and carry no media of their own. */
const AUXILIARY = /\/(rtx|red|ulpfec|flexfec-03|cn|telephone-event)$/i

/**
 * Throws where protecting `sender` would come too late or could not work. Before negotiation its
 * codec is unknown; frames of a codec without a rule are then dropped by the worker.
 *
 * @throws MediaError `media-already-transmitting`, `media-already-transformed`,
 *   `media-unsupported-codec`
 */
export function checkProtectable(sender: RTCRtpSender): void {
  if (sender.transform) {
    throw new MediaError('media-already-transformed', 'the sender has a transform already')
  }
  const { codecs, encodings } = sender.getParameters()
  const codec = codecs.find(({ mimeType }) => !AUXILIARY.test(mimeType))
  if (codec !== undefined && codecRuleFor(codec.mimeType) === undefined) {
    throw new MediaError('media-unsupported-codec', `no rule encrypts ${codec.mimeType}`, {
      remedy: 'negotiate VP8 for video and Opus for audio',
    })
  }
  const active = encodings.some((encoding) => encoding.active !== false)
  const connected = sender.transport?.state === 'connected'
  if (connected && active && codec !== undefined && sender.track !== null) {
    throw new MediaError('media-already-transmitting', 'the sender may have sent in clear', {
      remedy: 'protect a sender before its first negotiation',
    })
  }
}
