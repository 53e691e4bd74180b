import { expand, extract } from '@noble/hashes/hkdf.js'
import { type Bytes, concatBytes, utf8 } from '../codec/bytes.ts'
import { Secret } from '../crypto/secret/secret.ts'
import type { AeadKey, FrameAead } from './aead.ts'
import type { SFrameCipherSuite } from './cipherSuite.ts'
import { encodeHeader } from './header.ts'

const KEY_LABEL = utf8('SFrame 1.0 Secret key ')
const SALT_LABEL = utf8('SFrame 1.0 Secret salt ')

/** `sframe_secret` (RFC 9605 §4.4.2), from which the keys of every KID come. */
export function deriveSecret(suite: SFrameCipherSuite, baseKey: Uint8Array): Secret {
  return new Secret(extract(suite.hash, baseKey, new Uint8Array(0)))
}

/**
 * `derive_key_salt` (RFC 9605 §4.4.2) from `sframe_secret`.
 *
 * @throws CryptoError `crypto-secret-wiped`
 */
export function deriveKeySalt(
  suite: SFrameCipherSuite,
  secret: Secret,
  kid: bigint,
): { key: Secret; salt: Secret } {
  const derive = (label: Bytes, length: number) =>
    new Secret(expand(suite.hash, secret.expose(), info(label, kid, suite.id), length))
  return { key: derive(KEY_LABEL, suite.nk), salt: derive(SALT_LABEL, suite.nn) }
}

/**
 * Key and salt of one KID (RFC 9605 §4.4). Encrypts and decrypts; who may do which is decided by
 * whoever hands it out, because a base key serves one direction per KID (§4.4.1).
 */
export class SFrameKey {
  readonly kid: bigint
  readonly suite: SFrameCipherSuite
  readonly #aead: Promise<AeadKey | undefined>
  readonly #salt: Secret

  constructor(suite: SFrameCipherSuite, aead: FrameAead, secret: Secret, kid: bigint) {
    const { key, salt } = deriveKeySalt(suite, secret, kid)
    this.suite = suite
    this.kid = kid
    this.#salt = salt
    this.#aead = aead
      .importKey(suite, key.expose())
      .catch(() => undefined)
      .finally(() => key.wipe())
  }

  /**
   * `encrypt(CTR, KID, metadata, plaintext)` of RFC 9605 §4.4.3: header, ciphertext, tag.
   * Resolves to `undefined` once the key was wiped.
   */
  async encrypt(ctr: bigint, metadata: Uint8Array, plaintext: Bytes): Promise<Bytes | undefined> {
    const aead = await this.#aead
    if (aead === undefined || this.#salt.wiped) return undefined
    const header = encodeHeader(this.kid, ctr)
    const sealed = await aead.seal(this.#nonce(ctr), concatBytes(header, metadata), plaintext)
    return concatBytes(header, sealed)
  }

  /**
   * The AEAD step of `decrypt` (RFC 9605 §4.4.4), for a header that was decoded already. Resolves
   * to `undefined` where the ciphertext is not authentic or the key was wiped.
   */
  async decrypt(
    ctr: bigint,
    header: Uint8Array,
    metadata: Uint8Array,
    ciphertext: Bytes,
  ): Promise<Bytes | undefined> {
    const aead = await this.#aead
    if (aead === undefined || this.#salt.wiped) return undefined
    return aead.open(this.#nonce(ctr), concatBytes(header, metadata), ciphertext)
  }

  /** Forgets the salt. The key itself lives in a CryptoKey, which nobody can wipe. */
  wipe(): void {
    this.#salt.wipe()
  }

  #nonce(ctr: bigint): Bytes {
    const nonce = this.#salt.expose().slice()
    const view = new DataView(nonce.buffer)
    const low = nonce.length - 8
    view.setBigUint64(low, view.getBigUint64(low) ^ ctr)
    return nonce
  }
}

function info(label: Uint8Array, kid: bigint, suiteId: number): Uint8Array {
  const bytes = new Uint8Array(label.length + 10)
  bytes.set(label)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(label.length, kid)
  view.setUint16(label.length + 8, suiteId)
  return bytes
}
