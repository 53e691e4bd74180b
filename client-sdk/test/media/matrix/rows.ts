import type { PublishEncoding } from '@conclave/client/call'
import type { VideoToPublish } from './page/callEnd.ts'

/** What the SFU is asked to forward of a stream with layers. */
export interface Layer {
  readonly spatialLayer: number
  readonly temporalLayer: number
  /** Of the picture that then arrives. */
  readonly width: number
}

/** A codec, and what it is used for. Every row with video has a tone in Opus beside it. */
export interface Row {
  readonly codec: 'Opus' | 'VP8' | 'VP9' | 'H264' | 'AV1'
  readonly feature: string
  /** Undefined where only the tone is sent. */
  readonly video?: VideoToPublish
  /** Whether the tone falls silent, and Opus may then stop sending. */
  readonly dtx?: boolean
  /** What the SFU switches to, one after the other. */
  readonly layers?: readonly Layer[]
  /** Whether `npm test` runs it. */
  readonly always?: boolean
}

const small = { width: 320, height: 180 }
const medium = { width: 640, height: 360 }
/** The least of which Chromium sends three simulcast or SVC layers. */
const layered = { width: 960, height: 540 }

const simulcast: readonly PublishEncoding[] = [
  { scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { scaleResolutionDownBy: 2, maxBitrate: 300_000 },
  { scaleResolutionDownBy: 1, maxBitrate: 800_000 },
]

const spatialLayers: readonly Layer[] = [
  { spatialLayer: 0, temporalLayer: 2, width: 240 },
  { spatialLayer: 1, temporalLayer: 2, width: 480 },
  { spatialLayer: 2, temporalLayer: 2, width: 960 },
]

export const rows: readonly Row[] = [
  { codec: 'Opus', feature: 'sound' },
  { codec: 'Opus', feature: 'DTX', dtx: true },
  { codec: 'VP8', feature: 'camera', video: camera('VP8') },
  {
    codec: 'VP8',
    feature: 'simulcast, 3 layers',
    video: { ...camera('VP8'), size: layered, encodings: simulcast },
    layers: spatialLayers,
    always: true,
  },
  { codec: 'VP8', feature: 'screen', video: screen('VP8') },
  { codec: 'VP9', feature: 'camera', video: camera('VP9') },
  {
    codec: 'VP9',
    feature: 'SVC, L3T3_KEY',
    video: { ...camera('VP9'), size: layered, encodings: [{ scalabilityMode: 'L3T3_KEY' }] },
    layers: spatialLayers,
    always: true,
  },
  { codec: 'VP9', feature: 'screen', video: screen('VP9') },
  { codec: 'H264', feature: 'camera', video: camera('H264'), always: true },
  {
    codec: 'H264',
    feature: 'simulcast, 3 layers',
    video: { ...camera('H264'), size: layered, encodings: simulcast },
    layers: spatialLayers,
  },
  { codec: 'AV1', feature: 'camera', video: { ...camera('AV1'), size: small }, always: true },
  {
    codec: 'AV1',
    feature: 'SVC, L1T3',
    video: { ...camera('AV1'), size: small, encodings: [{ scalabilityMode: 'L1T3' }] },
    layers: [
      { spatialLayer: 0, temporalLayer: 0, width: 320 },
      { spatialLayer: 0, temporalLayer: 1, width: 320 },
      { spatialLayer: 0, temporalLayer: 2, width: 320 },
    ],
  },
  { codec: 'AV1', feature: 'screen', video: { ...screen('AV1'), size: small } },
]

function camera(codec: string): VideoToPublish {
  return { source: 'camera', codec: `video/${codec}`, size: medium }
}

function screen(codec: string): VideoToPublish {
  return { source: 'screen', codec: `video/${codec}`, size: medium }
}
