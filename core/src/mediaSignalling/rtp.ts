/**
 * RTP and transport parameters as mediasoup and its clients exchange them: the fields that both
 * know, in mediasoup's names. See https://mediasoup.org/documentation/v3/mediasoup/rtp-parameters-and-capabilities/
 */

export type MediaKind = 'audio' | 'video'

export interface RtcpFeedback {
  type: string
  parameter?: string
}

/** A codec's `fmtp` parameters. */
export type CodecParameters = Record<string, string | number | boolean>

export interface RtpCodec {
  mimeType: string
  clockRate: number
  channels?: number
  parameters?: CodecParameters
  rtcpFeedback?: RtcpFeedback[]
}

export interface RtpCodecCapability extends RtpCodec {
  kind: MediaKind
  preferredPayloadType: number
}

export interface RtpCodecParameters extends RtpCodec {
  payloadType: number
}

/** The header extensions that a client and the SFU may agree on; others are left out. */
export const rtpHeaderExtensions = [
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
  'urn:3gpp:video-orientation',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
  'urn:mediasoup:params:rtp-hdrext:packet-id',
] as const

export type RtpHeaderExtensionUri = (typeof rtpHeaderExtensions)[number]

export interface RtpHeaderExtension {
  kind: MediaKind
  uri: RtpHeaderExtensionUri
  preferredId: number
  preferredEncrypt?: boolean
  direction?: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive'
}

export interface RtpCapabilities {
  codecs?: RtpCodecCapability[]
  headerExtensions?: RtpHeaderExtension[]
}

export interface RtpHeaderExtensionParameters {
  uri: RtpHeaderExtensionUri
  id: number
  encrypt?: boolean
  parameters?: CodecParameters
}

export interface RtpEncodingParameters {
  ssrc?: number
  rid?: string
  codecPayloadType?: number
  rtx?: { ssrc: number }
  dtx?: boolean
  scalabilityMode?: string
  maxBitrate?: number
}

export interface RtcpParameters {
  cname?: string
  reducedSize?: boolean
}

export interface RtpParameters {
  mid?: string
  codecs: RtpCodecParameters[]
  headerExtensions?: RtpHeaderExtensionParameters[]
  encodings?: RtpEncodingParameters[]
  rtcp?: RtcpParameters
  msid?: string
}

export interface IceParameters {
  usernameFragment: string
  password: string
  iceLite?: boolean
}

export interface IceCandidate {
  foundation: string
  priority: number
  ip: string
  address: string
  protocol: 'udp' | 'tcp'
  port: number
  type: 'host'
  tcpType?: 'passive'
}

export const fingerprintAlgorithms = ['sha-1', 'sha-224', 'sha-256', 'sha-384', 'sha-512'] as const

export interface DtlsFingerprint {
  algorithm: (typeof fingerprintAlgorithms)[number]
  value: string
}

export interface DtlsParameters {
  role?: 'auto' | 'client' | 'server'
  fingerprints: DtlsFingerprint[]
}
