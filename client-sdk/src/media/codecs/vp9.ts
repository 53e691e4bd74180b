import { clearPrefixRule } from './codecRule.ts'

/**
 * What RTP and the SFU need of a VP9 frame, its layers among it, stands in the payload descriptor
 * (RFC 9628 §4.2), which the packetizer writes: all is secret.
 */
export const vp9 = clearPrefixRule('video/vp9', () => 0)
