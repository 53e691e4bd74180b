import { expand, extract } from '@noble/hashes/hkdf.js'
import { type Bytes, concatBytes, emptyBytes, utf8 } from '../codec/bytes.ts'
import { Secret } from '../crypto/secret/secret.ts'
import type { AeadKey, FrameAead } from './aead.ts'
import type { SFrameCipherSuite } from './cipherSuite.ts'
import { FrameMemory } from './frameMemory.ts'
import { encodeHeader } from './header.ts'
import { lowerHalf, upperHalf } from './uint64.ts'

/** Of all keys: each would else have memory of its own for as long as it lives. */
const memory = new FrameMemory()

const notThere = Promise.resolve(undefined)

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
  /** What it was imported to, once it has been. */
  #aead: AeadKey | undefined
  readonly #imported: Promise<AeadKey | undefined>
  readonly #salt: Secret

  constructor(suite: SFrameCipherSuite, aead: FrameAead, secret: Secret, kid: bigint) {
    const { key, salt } = deriveKeySalt(suite, secret, kid)
    this.suite = suite
    this.kid = kid
    this.#salt = salt
    this.#imported = this.#import(aead, key)
  }

  /**
   * `encrypt(CTR, KID, metadata, plaintext)` of RFC 9605 §4.4.3: header, ciphertext, tag, and
   * `lead` ahead of them. Resolves to `undefined` once the key was wiped.
   *
   * @throws SFrameError `sframe-value-out-of-range` where `ctr` is no unsigned 64-bit integer
   */
  encrypt(
    ctr: bigint,
    metadata: Bytes,
    plaintext: Bytes,
    lead: Bytes = emptyBytes,
  ): Promise<Bytes | undefined> {
    return this.#withAead((aead) => {
      const header = encodeHeader(this.kid, ctr)
      const head = lead.length === 0 ? header : concatBytes(lead, header)
      return aead.seal(this.#nonceOf(ctr), this.#aadOf(header, metadata), plaintext, head)
    })
  }

  /**
   * The AEAD step of `decrypt` (RFC 9605 §4.4.4), for a header that was decoded already. Resolves
   * to `undefined` where the ciphertext is not authentic or the key was wiped.
   */
  decrypt(
    ctr: bigint,
    header: Bytes,
    metadata: Bytes,
    ciphertext: Bytes,
  ): Promise<Bytes | undefined> {
    return this.#withAead((aead) =>
      aead.open(this.#nonceOf(ctr), this.#aadOf(header, metadata), ciphertext),
    )
  }

  /** Forgets the salt. The key itself lives in the platform, where nobody can wipe it. */
  wipe(): void {
    this.#salt.wipe()
  }

  /** Waits only where the platform has not imported the key yet. */
  #withAead(use: (aead: AeadKey) => Promise<Bytes | undefined>): Promise<Bytes | undefined> {
    const useOf = (aead: AeadKey | undefined) =>
      aead === undefined || this.#salt.wiped ? notThere : use(aead)
    return this.#aead === undefined ? this.#imported.then(useOf) : useOf(this.#aead)
  }

  /** `undefined` where the platform refuses the key; frames are then refused, too. */
  async #import(aead: FrameAead, key: Secret): Promise<AeadKey | undefined> {
    try {
      this.#aead = await aead.importKey(this.suite, key.expose())
    } catch {
      return undefined
    } finally {
      key.wipe()
    }
    return this.#aead
  }

  /** The salt, with the counter in its last eight bytes (RFC 9605 §4.4.3). */
  #nonceOf(ctr: bigint): Bytes {
    const salt = this.#salt.expose()
    const nonce = memory.take(salt.length)
    nonce.set(salt)
    let rest = lowerHalf(ctr)
    for (let i = 1; i <= 8; i++) {
      const at = nonce.length - i
      nonce[at] = (nonce[at] as number) ^ (rest & 0xff)
      rest = i === 4 ? upperHalf(ctr) : rest >>> 8
    }
    return nonce
  }

  /** What is authenticated beside the ciphertext. */
  #aadOf(header: Bytes, metadata: Bytes): Bytes {
    const aad = memory.take(header.length + metadata.length)
    aad.set(header)
    aad.set(metadata, header.length)
    return aad
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
