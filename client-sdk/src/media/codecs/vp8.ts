import { clearPrefixRule } from './codecRule.ts'

const INTER_FRAME = 0x01
/** Frame tag, start code and dimensions (RFC 6386 §9.1). */
const KEY_FRAME_HEADER = 10

/**
 * Depacketizer and SFU read from the first byte whether a frame is a key frame, and from a key
 * frame's first ten its dimensions (RFC 6386 §9.1). Hidden, they would see key frames at random.
 */
export const vp8 = clearPrefixRule('video/vp8', (frame) =>
  ((frame[0] ?? INTER_FRAME) & INTER_FRAME) === 0 ? KEY_FRAME_HEADER : 1,
)
