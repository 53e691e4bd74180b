import { type Bytes, emptyBytes } from '../codec/bytes.ts'
import type { FrameKeySource } from './frameKeys.ts'
import type { MediaSource } from './mlsKeys.ts'

/** `key-exhausted`: the key has encrypted as much as one may; the next epoch brings another. */
export type EncryptRefusal = 'no-key' | 'counter-exhausted' | 'key-exhausted'

export type EncryptResult =
  | {
      readonly ok: true
      readonly ciphertext: Bytes
      readonly epoch: bigint
      readonly kid: bigint
      readonly ctr: bigint
    }
  | { readonly ok: false; readonly reason: EncryptRefusal }

/** Encrypts the frames of one source under whatever key is the one to send with. */
export class FrameEncryptor {
  readonly #keys: FrameKeySource
  readonly #source: MediaSource
  readonly #isListed: boolean

  /** @param isListed whether the frames end in a trailer and their digests are listed */
  constructor(keys: FrameKeySource, source: MediaSource, isListed = false) {
    this.#keys = keys
    this.#source = source
    this.#isListed = isListed
  }

  /**
   * Header, ciphertext and tag of a frame (RFC 9605 §4.4.3); `metadata` is authenticated only.
   * `lead` stands ahead of them as it is, authenticated only where `metadata` covers it.
   */
  async encrypt(
    metadata: Bytes,
    plaintext: Bytes,
    lead: Bytes = emptyBytes,
  ): Promise<EncryptResult> {
    const sending = this.#keys.sendingKey(this.#source, this.#isListed)
    if (sending === undefined) return { ok: false, reason: 'no-key' }
    if (sending.counter.exhausted) return { ok: false, reason: 'counter-exhausted' }
    if (!sending.usage.take(plaintext.length, metadata.length)) {
      return { ok: false, reason: 'key-exhausted' }
    }
    const ctr = sending.counter.take()
    const ciphertext = await sending.key.encrypt(ctr, metadata, plaintext, lead)
    if (ciphertext === undefined) return { ok: false, reason: 'no-key' }
    return { ok: true, ciphertext, epoch: sending.epoch, kid: sending.key.kid, ctr }
  }
}
