import {
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  timingSafeEqual,
} from 'node:crypto'
import { type Bytes, plainBytes } from '../../codec/bytes.ts'
import { type AeadKey, type FrameAead, tagLengths } from '../aead.ts'
import type { SFrameCipherSuite } from '../cipherSuite.ts'

/**
 * The AEADs of RFC 9605 §4.5 on node:crypto. They run on the calling thread, where a frame costs
 * less than the way to another; keys live in KeyObjects, which nobody can wipe.
 */
export const nodeAead: FrameAead = {
  importKey: async (suite, key) =>
    suite.aead === 'AES-GCM' ? importGcm(suite, key) : importCtrHmac(suite, key),
}

function importGcm({ nk, nt }: SFrameCipherSuite, rawKey: Bytes): AeadKey {
  const name: CipherGCMTypes = nk === 16 ? 'aes-128-gcm' : 'aes-256-gcm'
  const key = createSecretKey(rawKey)
  const options = { authTagLength: nt }
  return {
    async seal(nonce, aad, plaintext, head) {
      const cipher = createCipheriv(name, key, nonce, options)
      cipher.setAAD(aad)
      const ciphertext = cipher.update(plaintext)
      cipher.final()
      return joined(head, ciphertext, cipher.getAuthTag())
    },
    async open(nonce, aad, sealed) {
      const end = sealed.length - nt
      if (end < 0) return undefined
      const decipher = createDecipheriv(name, key, nonce, options)
      decipher.setAAD(aad)
      decipher.setAuthTag(sealed.subarray(end))
      const plaintext = decipher.update(sealed.subarray(0, end))
      try {
        decipher.final()
      } catch {
        return undefined
      }
      return plainBytes(plaintext)
    },
  }
}

/** AES-CTR with HMAC, encrypt-then-MAC (RFC 9605 §4.5.1); the subkeys are `derive_subkeys`'s. */
function importCtrHmac({ nka, nt }: SFrameCipherSuite, rawKey: Bytes): AeadKey {
  const encKey = createSecretKey(rawKey.subarray(0, nka))
  const authKey = createSecretKey(rawKey.subarray(nka))

  // Decrypting with a key stream is encrypting once more.
  const crypt = (nonce: Uint8Array, data: Uint8Array) => {
    const counter = new Uint8Array(16)
    counter.set(nonce)
    return createCipheriv('aes-128-ctr', encKey, counter).update(data)
  }
  const computeTag = (nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array) => {
    const mac = createHmac('sha256', authKey)
      .update(tagLengths(aad.length, ciphertext.length, nt))
      .update(nonce)
    return mac.update(aad).update(ciphertext).digest().subarray(0, nt)
  }

  return {
    async seal(nonce, aad, plaintext, head) {
      const ciphertext = crypt(nonce, plaintext)
      return joined(head, ciphertext, computeTag(nonce, aad, ciphertext))
    },
    async open(nonce, aad, sealed) {
      const end = sealed.length - nt
      if (end < 0) return undefined
      const ciphertext = sealed.subarray(0, end)
      const isAuthentic = timingSafeEqual(sealed.subarray(end), computeTag(nonce, aad, ciphertext))
      return isAuthentic ? plainBytes(crypt(nonce, ciphertext)) : undefined
    },
  }
}

/** In a buffer of its own that is not filled with zeros first, since every byte of it is written. */
function joined(head: Uint8Array, ciphertext: Uint8Array, tag: Uint8Array): Bytes {
  const all = Buffer.allocUnsafeSlow(head.length + ciphertext.length + tag.length)
  all.set(head)
  all.set(ciphertext, head.length)
  all.set(tag, head.length + ciphertext.length)
  return plainBytes(all)
}
