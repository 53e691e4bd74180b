import type { Bytes } from '@conclave/core/codec'
import {
  type EncryptRefusal,
  FrameEncryptor,
  type FrameKeySource,
  type MediaSource,
} from '@conclave/core/sframe'
import { codecRuleFor } from './codecs/index.ts'

/**
 * Why a frame to be sent was dropped instead. An `empty-frame` is what Opus makes of silence under
 * DTX, and nothing is sent of it: encrypted it would be a packet like others.
 */
export type ProtectDrop = EncryptRefusal | 'unsupported-codec' | 'malformed-frame' | 'empty-frame'

export type ProtectResult =
  | { readonly ok: true; readonly frame: Bytes; readonly epoch: bigint }
  | { readonly ok: false; readonly reason: ProtectDrop }

/** Turns the encoded frames of one source into protected ones. Knows no browser. */
export class FrameProtector {
  readonly #encryptor: FrameEncryptor

  constructor(keys: FrameKeySource, source: MediaSource) {
    this.#encryptor = new FrameEncryptor(keys, source)
  }

  async protect(mimeType: string | undefined, frame: Bytes): Promise<ProtectResult> {
    if (frame.length === 0) return { ok: false, reason: 'empty-frame' }
    const rule = codecRuleFor(mimeType)
    if (rule === undefined) return { ok: false, reason: 'unsupported-codec' }
    const parts = rule.split(frame)
    if (parts === undefined) return { ok: false, reason: 'malformed-frame' }
    const sealed = await this.#encryptor.encrypt(parts.metadata, parts.secret, parts.lead)
    if (!sealed.ok) return sealed
    return { ok: true, frame: parts.join(sealed.ciphertext), epoch: sealed.epoch }
  }
}
