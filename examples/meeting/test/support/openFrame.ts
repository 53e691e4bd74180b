import {
  AES_128_GCM_SHA256_128,
  CONCLAVE_KID_LAYOUT,
  cipherSuite,
  decodeHeader,
  decodeKid,
  deriveSecret,
  SFrameKey,
  webCryptoAead,
} from '@conclave/core/sframe'
import type { RecordedKey } from '../page/probe.ts'
import type { TappedFrame } from './sfuTap.ts'

const suite = cipherSuite(AES_128_GCM_SHA256_128)
const aead = webCryptoAead(globalThis.crypto.subtle)

/** VP8 key frames keep ten bytes in clear, other VP8 frames one, Opus frames none. */
export function clearLength({ source, data }: TappedFrame): number {
  if (source !== 'camera') return 0
  return ((data[0] ?? 1) & 1) === 0 ? 10 : 1
}

/** The low-order bits of the epoch that a frame's KID names. */
export function epochBits(frame: TappedFrame): number | undefined {
  const header = decodeHeader(frame.data.subarray(clearLength(frame)))
  return header && decodeKid(CONCLAVE_KID_LAYOUT, header.kid).epoch
}

/** Somebody's saved base keys, used without asking who may use them. */
export class SavedKeys {
  readonly #baseKeys: readonly Uint8Array[]
  readonly #derived = new Map<string, SFrameKey>()

  constructor(keys: readonly RecordedKey[]) {
    this.#baseKeys = keys.map(({ baseKey }) => new Uint8Array(Buffer.from(baseKey, 'hex')))
  }

  get count(): number {
    return this.#baseKeys.length
  }

  /** The frame in clear under whichever of the keys opens it; `undefined` where none does. */
  async open(frame: TappedFrame): Promise<Uint8Array | undefined> {
    const clear = frame.data.subarray(0, clearLength(frame))
    const sframe = frame.data.subarray(clear.length)
    const header = decodeHeader(sframe)
    if (header === undefined) return undefined
    const { kid, ctr, length } = header
    for (const [index] of this.#baseKeys.entries()) {
      const key = this.#keyFor(index, kid)
      const opened = await key.decrypt(ctr, sframe.subarray(0, length), clear, sframe.slice(length))
      if (opened !== undefined) return Buffer.concat([clear, opened])
    }
    return undefined
  }

  /** How many of the frames open. */
  async countOpened(frames: readonly TappedFrame[]): Promise<number> {
    let opened = 0
    for (const frame of frames) if ((await this.open(frame)) !== undefined) opened++
    return opened
  }

  #keyFor(index: number, kid: bigint): SFrameKey {
    const name = `${index} ${kid}`
    let key = this.#derived.get(name)
    if (key === undefined) {
      key = new SFrameKey(
        suite,
        aead,
        deriveSecret(suite, this.#baseKeys[index] as Uint8Array),
        kid,
      )
      this.#derived.set(name, key)
    }
    return key
  }
}
