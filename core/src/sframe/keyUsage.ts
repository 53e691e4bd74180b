/** Bytes of one block of AES. */
const blockBytes = 16
/** Blocks of a message that are neither its data nor what is authenticated beside it: tag, lengths. */
const overheadBlocks = 2

/**
 * Blocks that one key may encrypt. With AES-GCM an attacker's advantage over sigma blocks is about
 * sigma^2 / 2^129 (draft-irtf-cfrg-aead-limits, §5.1): with 2^36 of them 2^-57, which is what QUIC
 * allows itself (RFC 9001, appendix B). These are 1 TiB of media of one source in one epoch.
 */
export const KEY_BLOCKS = 2 ** 36
/** The part of them after which a new key is asked for. */
const WORN = 3 / 4

/** How much one sending key has encrypted (RFC 9605 §9.3). */
export class KeyUsage {
  readonly #limit: number
  readonly #onWorn: () => void
  #blocks = 0

  /**
   * @param options `limit` in blocks; `onWorn` is called once, when three quarters of them have been
   *   used
   */
  constructor({
    limit = KEY_BLOCKS,
    onWorn = () => {},
  }: { readonly limit?: number | undefined; readonly onWorn?: () => void } = {}) {
    this.#limit = limit
    this.#onWorn = onWorn
  }

  /**
   * Takes what a frame needs, in bytes of what is encrypted and of what is authenticated beside it;
   * false, without an effect, where that would be more than the key may encrypt.
   */
  take(plaintext: number, authenticated: number): boolean {
    const blocks =
      Math.ceil(plaintext / blockBytes) + Math.ceil(authenticated / blockBytes) + overheadBlocks
    const before = this.#blocks
    if (before + blocks > this.#limit) return false
    this.#blocks = before + blocks
    const worn = WORN * this.#limit
    if (before < worn && this.#blocks >= worn) this.#onWorn()
    return true
  }
}
