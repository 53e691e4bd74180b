import type { Bytes } from '../../../core/src/codec/bytes.ts'
import type { Contestant } from './turns.ts'

/**
 * Something that seals and opens frames, one after the other, as the frames of a track are. What
 * comes out is handed on.
 */
export interface FrameCipher<Sealed> {
  sealAll(frame: Bytes, times: number, handOn: (sealed: Sealed) => void): Promise<void>
  openAll(sealed: readonly Sealed[], handOn: (opened: ArrayBuffer) => void): Promise<void>
  bufferOf(sealed: Sealed): ArrayBuffer
}

/** One who makes frames unreadable, and one who makes them readable again. */
export interface Both {
  readonly encrypt: Contestant
  readonly decrypt: Contestant
}

export function bothOf<Sealed>(cipher: FrameCipher<Sealed>, frame: Bytes): Both {
  return {
    encrypt: {
      prepare: async (frames) => () =>
        cipher.sealAll(frame, frames, (sealed) => giveBack(cipher.bufferOf(sealed))),
    },
    decrypt: {
      prepare: async (frames) => {
        const all: Sealed[] = []
        await cipher.sealAll(frame, frames, (sealed) => all.push(sealed))
        return () => cipher.openAll(all, giveBack)
      },
    },
  }
}

/**
 * Frees memory at once, as a browser does with a frame that is written to a transform's end: kept,
 * it would make whoever comes next fetch fresh pages, which take longer than the cipher.
 */
function giveBack(buffer: ArrayBuffer): void {
  buffer.transfer(0)
}
