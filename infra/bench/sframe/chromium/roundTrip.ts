import { expectDone } from '../../benchError.ts'
import { type BenchFrame, trackFrames } from './benchFrame.ts'
import type { TransformedTrack } from './transformedTrack.ts'

/** Both ends of a track: what encrypts its frames and what opens them. */
export interface Transforms {
  readonly send: TransformedTrack
  readonly receive: TransformedTrack
}

/** Bytes of an AEAD's tag: a frame that is encrypted is that much longer at least. */
const tagLength = 16
/** First bytes of a frame that may stay in clear. */
const longestClear = 10

/**
 * That whoever is measured does the work.
 * @throws BenchError `bench-work-not-done` where a frame goes out in clear or comes back another
 */
export async function expectRoundTrip({ send, receive }: Transforms, bytes: number): Promise<void> {
  const [frame] = trackFrames(bytes, 1) as [BenchFrame]
  const plain = new Uint8Array(frame.data).slice()
  await send.pass([frame], () => {})
  const sealed = new Uint8Array(frame.data)
  expectDone(sealed.length >= bytes + tagLength, 'a frame went out in clear')
  const secret = plain.subarray(longestClear)
  const isInClear = secret.every((byte, i) => byte === sealed[longestClear + i])
  expectDone(!isInClear || secret.length === 0, 'a frame went out in clear')
  await receive.pass([frame], () => {})
  const opened = new Uint8Array(frame.data)
  const isSame = opened.length === bytes && opened.every((byte, i) => byte === plain[i])
  expectDone(isSame, 'a frame came back another')
}
