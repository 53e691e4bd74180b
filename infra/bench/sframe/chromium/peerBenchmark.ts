import { type Contestant, framesOfBlock, type Rates, takeTurns } from '../turns.ts'
import { type BenchFrame, trackFrames } from './benchFrame.ts'
import { livekitTransforms } from './livekitTransforms.ts'
import { ourTransforms } from './ourTransforms.ts'
import { expectRoundTrip, type Transforms } from './roundTrip.ts'

/** Frames a second through our transform (`value`) and through a peer's (`floor`). */
export interface PeerRow extends Rates {
  readonly op: 'encrypt' | 'decrypt'
  /** Bytes of a frame. */
  readonly n: number
}

export interface PeerWorkload {
  /** Sizes of frames. */
  readonly bytes: readonly number[]
  readonly rounds: number
}

/**
 * Making frames to be decrypted leaves freed memory behind, of the peer more than of ours, which the
 * first frames of a block are quicker for. In so many it does not count.
 */
const fewestFrames = 100

/** @throws BenchError `bench-work-not-done` */
export async function runPeerBenchmark(
  { bytes, rounds }: PeerWorkload,
  progress: (line: string) => void,
): Promise<readonly PeerRow[]> {
  const [ours, peers] = [ourTransforms(), await livekitTransforms()]
  const rows: PeerRow[] = []
  for (const n of bytes) {
    for (const transforms of [ours, peers]) await expectRoundTrip(transforms, n)
    const turns = { frames: Math.max(fewestFrames, framesOfBlock(n)), rounds }
    for (const [op, contestant] of [
      ['encrypt', encrypting],
      ['decrypt', decrypting],
    ] as const) {
      const rates = await takeTurns(contestant(ours, n), contestant(peers, n), turns)
      progress(`✓ transforms: ${op} of ${n} bytes · ${Math.round(rates.value)} a second`)
      rows.push({ op, n, ...rates })
    }
  }
  return rows
}

function encrypting({ send }: Transforms, bytes: number): Contestant {
  return {
    prepare: async (count) => {
      const frames = trackFrames(bytes, count)
      return () => send.pass(frames, giveBack)
    },
  }
}

function decrypting({ send, receive }: Transforms, bytes: number): Contestant {
  return {
    prepare: async (count) => {
      const sealed: BenchFrame[] = []
      await send.pass(trackFrames(bytes, count), (frame) => sealed.push(frame))
      return () => receive.pass(sealed, giveBack)
    },
  }
}

/** As in `frameCipher.ts`. */
function giveBack({ data }: BenchFrame): void {
  data.transfer(0)
}
