import type { Bytes } from '@conclave/core/codec'
import fc from 'fast-check'
import { carriedObus, temporalUnit } from '../av1Frames.ts'
import { AV1, bytesOf, H264, OPUS, VP8, VP9, vp8Frame } from '../frames.ts'
import { accessUnits, byteStream, carried } from '../h264Frames.ts'

/** Legal frames of a codec to be attacked. */
export interface CodecSamples {
  readonly mimeType: string
  readonly source: 'camera' | 'microphone'
  readonly frames: readonly Bytes[]
  /** The same for two frames that a depacketizer may take for one. */
  readonly identity: (frame: Bytes) => string
}

const hex = (frame: Uint8Array) => Buffer.from(frame).toString('hex')

/** As many frames of every codec, the same for the same seed. */
export function codecSamples(seed: number, numRuns: number): readonly CodecSamples[] {
  const lengths = Array.from({ length: numRuns }, (_, i) => 12 + ((i * 37) % 200))
  const opaque = lengths.map((length, i) => bytesOf(seed + i, length))
  const vp8 = lengths.map((length, i) => vp8Frame(i % 4 === 0 ? 'key' : 'delta', length, seed + i))
  const h264 = fc.sample(accessUnits, { numRuns, seed }).map(byteStream)
  const av1 = fc.sample(carriedObus, { numRuns, seed }).map((obus) => temporalUnit(obus))
  return [
    { mimeType: OPUS, source: 'microphone', frames: opaque, identity: hex },
    { mimeType: VP8, source: 'camera', frames: vp8, identity: hex },
    { mimeType: VP9, source: 'camera', frames: opaque, identity: hex },
    // Packetizers change start codes, which are not authenticated.
    { mimeType: H264, source: 'camera', frames: h264, identity: (frame) => hex(carried(frame)) },
    { mimeType: AV1, source: 'camera', frames: av1, identity: hex },
  ]
}
