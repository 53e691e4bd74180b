import type { types } from 'mediasoup'

/**
 * What a router negotiates. Every codec here has a rule for which bytes of a frame stay in clear
 * (Opus none; VP8 the payload header); one without such a rule cannot be encrypted so that the SFU
 * and the receiver's depacketizer still see frames, and is refused.
 */
export const mediaCodecs: types.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
]
