import { escapeNal } from '../../../client-sdk/src/media/codecs/nalUnits.ts'
import {
  encodeUnitHeader,
  makeUnit,
} from '../../../client-sdk/src/media/codecs/openBitstreamUnits.ts'
import { type Bytes, concatBytes } from '../../../core/src/codec/bytes.ts'

export type SampleCodec = keyof typeof makers

/** Encoded frames are as good as random. A length is the whole frame's; one of AV1 or H.264 may miss it. */
const makers = {
  'audio/opus': randomBytes,
  'video/vp8': (length: number) => vp8Frame(length, 'delta'),
  'video/h264': h264Frame,
  'video/av1': av1Frame,
} as const

export function sampleFrame(codec: SampleCodec, length: number): Bytes {
  return makers[codec](length)
}

/** A frame whose first bit says what it is. */
export function vp8Frame(length: number, type: 'key' | 'delta'): Bytes {
  const frame = randomBytes(length)
  frame[0] = ((frame[0] as number) & 0xfe) | (type === 'key' ? 0 : 1)
  return frame
}

/** One slice of a P picture. */
function h264Frame(length: number): Bytes {
  const header = Uint8Array.of(0, 0, 0, 1, 0x41, 0x9a, 0x21)
  const slice = escapeNal(randomBytes(length - header.length - 1), header)
  return concatBytes(header, slice, Uint8Array.of(0x80))
}

/** A temporal delimiter and one frame. */
function av1Frame(length: number): Bytes {
  const [delimiter, frame] = [makeUnit(2, new Uint8Array()), makeUnit(6, randomBytes(length - 5))]
  return concatBytes(encodeUnitHeader(delimiter), encodeUnitHeader(frame), frame.payload)
}

export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}
