import { type Bytes, concatBytes } from '@conclave/core/codec'
import {
  type EncryptRefusal,
  FrameEncryptor,
  type FrameKeySource,
  type FrameLister,
  type MediaSource,
} from '@conclave/core/sframe'
import { codecRuleFor } from './codecs/index.ts'
import type { FrameLayer } from './frameLayer.ts'

/**
 * Why a frame to be sent was dropped instead. An `empty-frame` is what Opus makes of silence under
 * DTX, and nothing is sent of it: encrypted it would be a packet like others.
 */
export type ProtectDrop = EncryptRefusal | 'unsupported-codec' | 'malformed-frame' | 'empty-frame'

export type ProtectResult =
  | {
      readonly ok: true
      readonly frame: Bytes
      readonly epoch: bigint
      /** Where digests are listed: resolves once this frame's is. The next one is not to come before. */
      readonly listed?: Promise<void>
    }
  | { readonly ok: false; readonly reason: ProtectDrop }

/** Turns the encoded frames of one source into protected ones. Knows no browser. */
export class FrameProtector {
  readonly #encryptor: FrameEncryptor
  readonly #lister: FrameLister | undefined

  /** @param lister lists the frames' digests, where their sender is to be authenticated */
  constructor(keys: FrameKeySource, source: MediaSource, lister?: FrameLister) {
    this.#encryptor = new FrameEncryptor(keys, source, lister !== undefined)
    this.#lister = lister
  }

  async protect(
    mimeType: string | undefined,
    frame: Bytes,
    layer: FrameLayer = onlyLayer,
  ): Promise<ProtectResult> {
    if (frame.length === 0) return { ok: false, reason: 'empty-frame' }
    const rule = codecRuleFor(mimeType)
    if (rule === undefined) return { ok: false, reason: 'unsupported-codec' }
    const parts = rule.split(frame)
    if (parts === undefined) return { ok: false, reason: 'malformed-frame' }
    const { metadata, secret: content, lead } = parts
    const trailer = this.#lister?.trailerOf(layer.name, layer.room)
    const secret = trailer === undefined ? content : concatBytes(content, trailer)
    const sealed = await this.#encryptor.encrypt(metadata, secret, lead)
    if (!sealed.ok) return sealed
    const { epoch, kid, ctr } = sealed
    const listed = this.#lister?.add(layer.name, { epoch, kid, ctr, metadata, content })
    const joined = parts.join(sealed.ciphertext)
    return { ok: true, frame: joined, epoch, ...(listed && { listed }) }
  }
}

const onlyLayer: FrameLayer = { name: '', room: Number.POSITIVE_INFINITY }
