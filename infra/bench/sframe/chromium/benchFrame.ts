import type { EncodedFrame } from '../../../../client-sdk/src/media/encodedFrame.ts'
import type { Bytes } from '../../../../core/src/codec/bytes.ts'
import { randomBytes, vp8Frame } from '../sampleFrames.ts'

/** What transforms use of RTCEncodedVideoFrame and RTCEncodedAudioFrame. */
export interface BenchFrame extends EncodedFrame {
  readonly timestamp: number
  getMetadata(): { readonly mimeType: string; readonly synchronizationSource: number }
}

/** Longer frames are of video. */
const longestOpusFrame = 400

/** So many frames of a track: of Opus where they are short, else VP8's that are no key frames. */
export function trackFrames(bytes: number, count: number): readonly BenchFrame[] {
  const isVideo = bytes > longestOpusFrame
  const metadata = { mimeType: isVideo ? 'video/VP8' : 'audio/opus', synchronizationSource: 1 }
  const plain: Bytes = isVideo ? vp8Frame(bytes, 'delta') : randomBytes(bytes)
  return Array.from({ length: count }, (_, timestamp) => ({
    data: plain.slice().buffer,
    timestamp,
    ...(isVideo && { type: 'delta' }),
    getMetadata: () => metadata,
  }))
}
