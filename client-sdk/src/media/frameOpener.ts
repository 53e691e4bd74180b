import type { Bytes } from '@conclave/core/codec'
import {
  type DropReason,
  type ExpectedSender,
  FrameDecryptor,
  type FrameKeySource,
  splitTrailer,
} from '@conclave/core/sframe'
import { codecRuleFor } from './codecs/index.ts'
import type { FrameWitness } from './frameWitness.ts'

/**
 * Why a received frame was not opened. `key-not-yet` may still change. An `empty-frame` is what
 * Chromium makes of a padding packet: nobody sent media in it.
 */
export type OpenRefusal = DropReason | 'unsupported-codec' | 'malformed-frame' | 'empty-frame'

export type OpenResult =
  | { readonly ok: true; readonly frame: Bytes }
  | { readonly ok: false; readonly reason: OpenRefusal }

/** Turns the protected frames of one leaf and source back into encoded ones. Knows no browser. */
export class FrameOpener {
  readonly #decryptor: FrameDecryptor
  readonly #witness: FrameWitness | undefined

  /** @param witness is told of each frame that opens */
  constructor(keys: FrameKeySource, expected: ExpectedSender, witness?: FrameWitness) {
    this.#decryptor = new FrameDecryptor(keys, expected)
    this.#witness = witness
  }

  get expected(): ExpectedSender {
    return this.#decryptor.expected
  }

  set expected(sender: ExpectedSender) {
    this.#decryptor.expected = sender
  }

  /** The epoch of the last frame that opened. */
  get lastEpoch(): bigint | undefined {
    return this.#decryptor.lastEpoch
  }

  /** Never throws, whatever the frame holds. */
  async open(mimeType: string | undefined, frame: Bytes): Promise<OpenResult> {
    if (frame.length === 0) return { ok: false, reason: 'empty-frame' }
    const rule = codecRuleFor(mimeType)
    if (rule === undefined) return { ok: false, reason: 'unsupported-codec' }
    const parts = rule.parse(frame)
    if (parts === undefined) return { ok: false, reason: 'malformed-frame' }
    const { metadata } = parts
    const { expected } = this
    const opened = await this.#decryptor.decrypt(metadata, parts.sframe)
    if (!opened.ok) return opened
    const trailed = opened.isListed ? splitTrailer(opened.plaintext) : undefined
    if (opened.isListed && trailed === undefined) return { ok: false, reason: 'malformed-frame' }
    const restored = parts.restore(trailed?.content ?? opened.plaintext)
    if (restored === undefined) return { ok: false, reason: 'malformed-frame' }
    if (trailed === undefined) this.#witness?.unlisted(opened)
    else this.#witness?.listed({ ...opened, ...trailed, metadata }, expected)
    return { ok: true, frame: restored }
  }
}
