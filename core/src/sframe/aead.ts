import { hmac } from '@noble/hashes/hmac.js'
import { type Bytes, concatBytes, equalBytes } from '../codec/bytes.ts'
import type { SFrameCipherSuite } from './cipherSuite.ts'

/**
 * One AEAD key of a suite. The tag is the end of the ciphertext (RFC 5116). What it is given may be
 * part of a larger buffer, and is nobody else's for as long as it is used.
 */
export interface AeadKey {
  /**
   * Resolves to `head`, ciphertext and tag in one piece: whoever has something to put ahead of a
   * ciphertext would else copy it once more.
   */
  seal(nonce: Bytes, aad: Bytes, plaintext: Bytes, head: Bytes): Promise<Bytes>
  /**
   * Resolves to the plaintext, in a buffer of its own; to `undefined` where the ciphertext is not
   * authentic.
   */
  open(nonce: Bytes, aad: Bytes, ciphertext: Bytes): Promise<Bytes | undefined>
}

/**
 * The platform's AEADs, as a parameter: WebCrypto ({@link webCryptoAead}), or in Node `nodeAead` of
 * `@conclave/core/sframe/node`, which takes a third of the time or less.
 */
export interface FrameAead {
  /** `key` is `suite.nk` bytes and is not kept: the caller may wipe it once this resolves. */
  importKey(suite: SFrameCipherSuite, key: Bytes): Promise<AeadKey>
}

/** The AEADs of RFC 9605 §4.5 on WebCrypto. Key bytes live in non-extractable CryptoKeys. */
export function webCryptoAead(subtle: SubtleCrypto): FrameAead {
  return {
    importKey: (suite, key) =>
      suite.aead === 'AES-GCM'
        ? importGcm(subtle, suite, key)
        : importCtrHmac(subtle, suite, key.slice(0, suite.nka), key.slice(suite.nka)),
  }
}

async function importGcm(
  subtle: SubtleCrypto,
  suite: SFrameCipherSuite,
  rawKey: Bytes,
): Promise<AeadKey> {
  const key = await subtle.importKey('raw', rawKey, 'AES-GCM', false, ['encrypt', 'decrypt'])
  const algorithm = (iv: Bytes, additionalData: Bytes) => ({
    name: 'AES-GCM',
    iv,
    additionalData,
    tagLength: 8 * suite.nt,
  })
  return {
    seal: async (nonce, aad, plaintext, head) => {
      const sealed = await subtle.encrypt(algorithm(nonce, aad), key, plaintext)
      return concatBytes(head, new Uint8Array(sealed))
    },
    open: (nonce, aad, ciphertext) =>
      subtle.decrypt(algorithm(nonce, aad), key, ciphertext).then(
        (plaintext) => new Uint8Array(plaintext),
        () => undefined,
      ),
  }
}

/** AES-CTR with HMAC, encrypt-then-MAC (RFC 9605 §4.5.1); the subkeys are `derive_subkeys`'s. */
async function importCtrHmac(
  subtle: SubtleCrypto,
  suite: SFrameCipherSuite,
  encKey: Bytes,
  authKey: Bytes,
): Promise<AeadKey> {
  const key = await subtle.importKey('raw', encKey, 'AES-CTR', false, ['encrypt', 'decrypt'])
  encKey.fill(0)
  const keyedMac = hmac.create(suite.hash, authKey)
  authKey.fill(0)

  const algorithm = (nonce: Uint8Array) => {
    const counter = new Uint8Array(16)
    counter.set(nonce)
    return { name: 'AES-CTR', counter, length: 32 }
  }
  const startTag = (nonce: Uint8Array, aad: Uint8Array, length: number) =>
    keyedMac
      .clone()
      .update(tagLengths(aad.length, length, suite.nt))
      .update(nonce)
      .update(aad)
  const endTag = (mac: ReturnType<typeof startTag>, ciphertext: Uint8Array) =>
    mac.update(ciphertext).digest().subarray(0, suite.nt)

  return {
    async seal(nonce, aad, plaintext, head) {
      const mac = startTag(nonce, aad, plaintext.length)
      const ciphertext = new Uint8Array(await subtle.encrypt(algorithm(nonce), key, plaintext))
      return concatBytes(head, ciphertext, endTag(mac, ciphertext))
    },
    async open(nonce, aad, sealed) {
      if (sealed.length < suite.nt) return undefined
      const ciphertext = sealed.subarray(0, sealed.length - suite.nt)
      const tag = sealed.subarray(ciphertext.length)
      const mac = startTag(nonce, aad, ciphertext.length)
      if (!equalBytes(tag, endTag(mac, ciphertext))) return undefined
      return new Uint8Array(await subtle.decrypt(algorithm(nonce), key, ciphertext))
    },
  }
}

/** The three lengths that `compute_tag` begins with (RFC 9605 §4.5.1), of eight bytes each. */
export function tagLengths(aad: number, ciphertext: number, nt: number): Bytes {
  const lengths = new DataView(new ArrayBuffer(24))
  for (const [i, length] of [aad, ciphertext, nt].entries()) {
    lengths.setUint32(8 * i, Math.floor(length / 2 ** 32))
    lengths.setUint32(8 * i + 4, length)
  }
  return new Uint8Array(lengths.buffer)
}
