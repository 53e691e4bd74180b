import type { EncodedFrame } from './encodedFrame.ts'

/** One layer of a source, as far as lists of digests go, and what a frame of it can carry. */
export interface FrameLayer {
  /** Simulcast and SVC layers have different ones. */
  readonly name: string
  /** How many bytes a list may take in this frame. */
  readonly room: number
}

/** Packets of sound are not fragmented: with headers and tag they must fit the path. */
const MAX_SOUND_BYTES = 1_150

/**
 * Whoever gets a layer gets the frames of its lowest temporal layer: those carry lists. The
 * temporal layers above it are listed with it.
 */
export function layerOf(frame: EncodedFrame): FrameLayer {
  const { synchronizationSource, spatialIndex = 0, temporalIndex = 0 } = frame.getMetadata()
  const name = `${synchronizationSource} ${spatialIndex}`
  if (temporalIndex > 0) return { name, room: 0 }
  const isVideo = frame.type !== undefined
  return {
    name,
    room: isVideo ? Number.POSITIVE_INFINITY : MAX_SOUND_BYTES - frame.data.byteLength,
  }
}
