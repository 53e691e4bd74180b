import { utf8ToBytes } from '@noble/hashes/utils.js'
import { AccessError } from './accessError.ts'

/** RFC 7518 §3.2: a key for HS256 has at least the size of the hash output. */
export const MIN_SECRET_BYTES = 32

/** A key that tokens are checked with. */
export interface VerifyingKey {
  /** The JWS `kid` under which tokens name this key; without one, it is tried for every token. */
  readonly id: string | undefined
  /** The JWS algorithms of this key; a token under any other is not signed by it. */
  readonly algorithms: readonly string[]
  /** What the JWS library takes as the key. */
  material(): Uint8Array | CryptoKey
}

/** A key that tokens are signed with. */
export interface SigningKey {
  readonly id: string | undefined
  /** The JWS `alg` of the tokens. */
  readonly algorithm: string
  material(): Uint8Array | CryptoKey
}

/**
 * A secret that the app's backend shares with the servers. It signs tokens and checks them; it has
 * nothing to do with a meeting's keys. The bytes are private to the object, so that printing or
 * serialising a configuration cannot show them.
 */
export class HmacAccessKey implements VerifyingKey, SigningKey {
  readonly algorithm = 'HS256'
  readonly algorithms = ['HS256']
  readonly id: string | undefined
  readonly #secret: Uint8Array

  /**
   * @param secret at least 32 bytes; a string is taken as UTF-8
   * @throws AccessError `access-secret-weak`
   */
  constructor(secret: Uint8Array | string, id?: string) {
    const bytes = typeof secret === 'string' ? utf8ToBytes(secret) : Uint8Array.from(secret)
    if (bytes.length < MIN_SECRET_BYTES) {
      throw new AccessError(
        'access-secret-weak',
        `an access secret has at least ${MIN_SECRET_BYTES} bytes, this one has ${bytes.length}`,
        { remedy: 'generate one with: openssl rand -base64 48' },
      )
    }
    this.#secret = bytes
    this.id = id
  }

  material(): Uint8Array {
    return this.#secret
  }
}
