import { extend, opaque, struct, uint16 } from '../codec/tls.ts'
import { FramedContent } from './framing.ts'

/*
 * RFC 9420 §8.2
 *
 * struct {
 *     WireFormat wire_format;
 *     FramedContent content;
 *     opaque signature<V>;
 * } ConfirmedTranscriptHashInput;
 *
 * struct {
 *     MAC confirmation_tag;
 * } InterimTranscriptHashInput;
 */
export const ConfirmedTranscriptHashInput = extend(
  struct({ wireFormat: uint16, content: FramedContent }),
  () => struct({ signature: opaque() }),
)
export const InterimTranscriptHashInput = struct({ confirmationTag: opaque() })
