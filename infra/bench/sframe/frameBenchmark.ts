import type { Bytes } from '../../../core/src/codec/bytes.ts'
import type { FrameAead } from '../../../core/src/sframe/index.ts'
import { bothOf, type FrameCipher } from './frameCipher.ts'
import { codecCipher, sframeCipher } from './ourCiphers.ts'
import { randomBytes, type SampleCodec, sampleFrame } from './sampleFrames.ts'
import { framesOfBlock, type Rates, takeTurns } from './turns.ts'

/** Frames a second of ours beside those of the bare AEAD. */
export interface FrameRow extends Rates {
  readonly op: string
  /** Bytes of a frame. */
  readonly n: number
  /** Whose AEAD, and where. */
  readonly case: string
}

/** A platform: our AEAD on it, and the shortest way to the same. */
export interface Platform<Sealed> {
  readonly name: string
  readonly aead: FrameAead
  readonly bare: FrameCipher<Sealed>
}

export interface FrameWorkload {
  /** Sizes of frames without a codec; none where these are not wanted. */
  readonly bytes: readonly number[]
  readonly codecs: boolean
  readonly rounds: number
}

const codecFrames: readonly (readonly [name: string, codec: SampleCodec, bytes: number])[] = [
  ['opus', 'audio/opus', 160],
  ['vp8', 'video/vp8', 1200],
  ['vp8', 'video/vp8', 10_000],
  ['h264', 'video/h264', 10_000],
  ['av1', 'video/av1', 10_000],
]

/** @throws BenchError `bench-work-not-done` */
export async function runFrameBenchmark<Sealed>(
  { name, aead, bare }: Platform<Sealed>,
  { bytes, codecs, rounds }: FrameWorkload,
  progress: (line: string) => void,
): Promise<readonly FrameRow[]> {
  const rows: FrameRow[] = []
  const add = async (suffix: string, cipher: FrameCipher<Bytes>, frame: Bytes) => {
    const n = frame.length
    const [ours, floor] = [bothOf(cipher, frame), bothOf(bare, frame)]
    for (const direction of ['encrypt', 'decrypt'] as const) {
      const turns = { frames: framesOfBlock(n), rounds }
      const rates = await takeTurns(ours[direction], floor[direction], turns)
      const row = { op: `${direction}${suffix}`, n, case: name, ...rates }
      progress(`✓ ${name}: ${row.op} of ${n} bytes · ${Math.round(row.value)} a second`)
      rows.push(row)
    }
  }
  for (const n of bytes) await add('', sframeCipher(aead), randomBytes(n))
  if (codecs) {
    for (const [codec, mimeType, n] of codecFrames) {
      await add(`.${codec}`, codecCipher(aead, mimeType), sampleFrame(mimeType, n))
    }
  }
  return rows
}
