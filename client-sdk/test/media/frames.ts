import { type AuthenticityStats, type EncodedFrame, FrameProtector } from '@conclave/client/media'
import type { Bytes } from '@conclave/core/codec'
import {
  CONCLAVE_KID_LAYOUT,
  decodeHeader,
  decodeKid,
  type EpochInstall,
  FrameKeys,
  type MediaSource,
  webCryptoAead,
  webCryptoHash,
} from '@conclave/core/sframe'
import { VirtualClock } from '../../../core/test/virtualClock.ts'

export const OPUS = 'audio/opus'
export const VP8 = 'video/VP8'
export const VP9 = 'video/VP9'
export const H264 = 'video/H264'
export const AV1 = 'video/AV1'

export const aead = webCryptoAead(crypto.subtle)
export const hash = webCryptoHash(crypto.subtle)

/** What is known of who sent frames whose digests nobody lists. */
export const unsigned: AuthenticityStats = {
  verdict: 'unsigned',
  proven: 0,
  forged: 0,
  listsRefused: 0,
  listsDropped: 0,
}

/** Bytes that look like nothing in particular, the same for the same seed. */
export function bytesOf(seed: number, length: number): Bytes {
  let state = seed * 2_654_435_761 + 1
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  })
}

/** A VP8 frame: the first bit of the first byte tells a key frame (0) from an inter frame (1). */
export function vp8Frame(kind: 'key' | 'delta', length: number, seed = 1): Bytes {
  const frame = bytesOf(seed, length)
  frame[0] = ((frame[0] as number) & 0xfe) | (kind === 'key' ? 0 : 1)
  return frame
}

/** What a frame's metadata say of its layer. */
export type TestLayer = Omit<ReturnType<EncodedFrame['getMetadata']>, 'mimeType'>

/** An encoded frame as a browser hands it to a transform. */
export class TestFrame implements EncodedFrame {
  data: ArrayBuffer
  readonly type?: string
  readonly #mimeType: string
  readonly #layer: TestLayer

  constructor(mimeType: string, data: Bytes, type?: 'key' | 'delta', layer: TestLayer = {}) {
    this.#mimeType = mimeType
    this.#layer = layer
    this.data = data.slice().buffer
    if (type !== undefined) this.type = type
  }

  get bytes(): Bytes {
    return new Uint8Array(this.data)
  }

  getMetadata(): ReturnType<EncodedFrame['getMetadata']> {
    return { mimeType: this.#mimeType, ...this.#layer }
  }
}

export function epochOf(
  epoch: bigint,
  ownLeaf: number,
  changes: Partial<EpochInstall> = {},
): EpochInstall & { baseKey: Bytes } {
  return {
    epoch,
    ownLeaf,
    leaves: [0, 1, 2],
    removedLeaves: [],
    incarnation: 0,
    ...changes,
    baseKey: bytesOf(Number(epoch), 16),
  }
}

/** Two members with static base keys and one clock: leaf 0 sends, leaf 1 receives. */
export class Pair {
  readonly clock = new VirtualClock()
  readonly sender = new FrameKeys({ aead, clock: this.clock })
  readonly receiver = new FrameKeys({ aead, clock: this.clock })

  install(epoch: bigint, changes: Partial<EpochInstall> = {}): void {
    this.sender.installEpoch(epochOf(epoch, 0, changes))
    this.receiver.installEpoch(epochOf(epoch, 1, changes))
  }

  /** The frame as leaf 0 sends it. */
  async protect(mimeType: string, frame: Bytes, source: MediaSource = 'camera'): Promise<Bytes> {
    const result = await new FrameProtector(this.sender, source).protect(mimeType, frame)
    if (!result.ok) throw new Error(result.reason)
    return result.frame
  }
}

/** The epoch that a protected frame names behind its first `clear` bytes. */
export function epochShownBy(frame: Uint8Array, clear: number): number {
  return decodeKid(CONCLAVE_KID_LAYOUT, decodeHeader(frame.subarray(clear))?.kid ?? -1n).epoch
}

/** How many runs of eight bytes of one array occur in the other. */
export function sharedWindows(a: Uint8Array, b: Uint8Array): number {
  const windows = (bytes: Uint8Array) =>
    Array.from({ length: Math.max(0, bytes.length - 7) }, (_, i) => bytes.subarray(i, i + 8).join())
  const known = new Set(windows(b))
  return windows(a).filter((window) => known.has(window)).length
}
