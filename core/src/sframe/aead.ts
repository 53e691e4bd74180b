import { hmac } from '@noble/hashes/hmac.js'
import { type Bytes, equalBytes } from '../codec/bytes.ts'
import type { SFrameCipherSuite } from './cipherSuite.ts'

/** One AEAD key of a suite. The tag is the end of the ciphertext (RFC 5116). */
export interface AeadKey {
  seal(nonce: Bytes, aad: Bytes, plaintext: Bytes): Promise<Bytes>
  /** Resolves to `undefined` where the ciphertext is not authentic. */
  open(nonce: Bytes, aad: Bytes, ciphertext: Bytes): Promise<Bytes | undefined>
}

/** The platform's AEADs, as a parameter: WebCrypto in browsers and Node ({@link webCryptoAead}). */
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
    seal: async (nonce, aad, plaintext) =>
      new Uint8Array(await subtle.encrypt(algorithm(nonce, aad), key, plaintext)),
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
  const computeTag = (nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array) => {
    const lengths = new DataView(new ArrayBuffer(24))
    lengths.setBigUint64(0, BigInt(aad.length))
    lengths.setBigUint64(8, BigInt(ciphertext.length))
    lengths.setBigUint64(16, BigInt(suite.nt))
    const mac = keyedMac.clone().update(new Uint8Array(lengths.buffer)).update(nonce)
    return mac.update(aad).update(ciphertext).digest().subarray(0, suite.nt)
  }

  return {
    async seal(nonce, aad, plaintext) {
      const sealed = new Uint8Array(plaintext.length + suite.nt)
      sealed.set(new Uint8Array(await subtle.encrypt(algorithm(nonce), key, plaintext)))
      const ciphertext = sealed.subarray(0, plaintext.length)
      sealed.set(computeTag(nonce, aad, ciphertext), plaintext.length)
      return sealed
    },
    async open(nonce, aad, sealed) {
      if (sealed.length < suite.nt) return undefined
      const ciphertext = sealed.subarray(0, sealed.length - suite.nt)
      const tag = sealed.subarray(ciphertext.length)
      if (!equalBytes(tag, computeTag(nonce, aad, ciphertext))) return undefined
      return new Uint8Array(await subtle.decrypt(algorithm(nonce), key, ciphertext))
    },
  }
}
