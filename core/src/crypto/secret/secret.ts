import { type Bytes, equalBytes, plainBytes } from '../../codec/bytes.ts'
import { CryptoError } from '../cryptoError.ts'

const redacted = '[secret]'

/**
 * Secret bytes with one owner. They show as `[secret]` however they are printed or serialised, are
 * compared in constant time and are overwritten by `wipe`.
 *
 * Wiping is best effort: a JavaScript engine may have copied the bytes while moving its heap.
 */
export class Secret {
  #bytes: Bytes | undefined

  /** Takes ownership of `bytes`: the caller keeps no use of them. */
  constructor(bytes: Bytes) {
    this.#bytes = plainBytes(bytes)
  }

  get length(): number {
    return this.expose().length
  }

  get wiped(): boolean {
    return this.#bytes === undefined
  }

  /**
   * The bytes themselves, for handing to a primitive; not to be kept.
   * @throws CryptoError `crypto-secret-wiped`
   */
  expose(): Bytes {
    if (this.#bytes === undefined) {
      throw new CryptoError('crypto-secret-wiped', 'this secret has been wiped')
    }
    return this.#bytes
  }

  copy(): Secret {
    return new Secret(this.expose().slice())
  }

  equals(other: Secret): boolean {
    return equalBytes(this.expose(), other.expose())
  }

  wipe(): void {
    this.#bytes?.fill(0)
    this.#bytes = undefined
  }

  toString(): string {
    return redacted
  }

  toJSON(): string {
    return redacted
  }

  /** What Node's console and loggers print. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return redacted
  }
}
