import type { types } from 'mediasoup'

/**
 * What a router negotiates; of video, the first is what clients send where they choose none. Every
 * codec here has a rule for which bytes of a frame stay in clear; one without such a rule cannot be
 * encrypted so that the SFU and the receiver's depacketizer still see frames, and is refused.
 */
export const mediaCodecs: types.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
  { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000, parameters: { 'profile-id': 0 } },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90_000,
    // Constrained Baseline, which every browser has; slices of any length.
    parameters: {
      'packetization-mode': 1,
      'profile-level-id': '42e01f',
      'level-asymmetry-allowed': 1,
    },
  },
  { kind: 'video', mimeType: 'video/AV1', clockRate: 90_000 },
]
