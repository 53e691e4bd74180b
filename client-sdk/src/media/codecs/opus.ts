import { clearPrefixRule } from './codecRule.ts'

/** Neither RTP's Opus payload format (RFC 7587) nor the SFU reads an Opus packet: all is secret. */
export const opus = clearPrefixRule('audio/opus', () => 0)
