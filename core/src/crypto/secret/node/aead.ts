import { type CipherGCMTypes, createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { concatBytes } from '../../../codec/bytes.ts'
import { openFailed } from '../../cryptoError.ts'
import type { AeadName, CipherSuite } from '../../public/cipherSuite.ts'
import type { Secret } from '../secret.ts'
import type { SecretSuite } from '../secretSuite.ts'

const ciphers: Readonly<Record<AeadName, CipherGCMTypes | 'chacha20-poly1305'>> = {
  'AES-128-GCM': 'aes-128-gcm',
  'AES-256-GCM': 'aes-256-gcm',
  'ChaCha20-Poly1305': 'chacha20-poly1305',
}
const authTagLength = 16

export function nodeAead({ aead }: CipherSuite): Pick<SecretSuite, 'aeadSeal' | 'aeadOpen'> {
  // Both kinds have the same interface; Node's types tell them apart by name.
  const name = ciphers[aead] as CipherGCMTypes
  // Node takes a key object in a third of the time that it takes the same bytes in.
  const keyObject = (key: Secret) => createSecretKey(key.expose())
  return {
    aeadSeal: async (key, nonce, aad, plaintext) => {
      const cipher = createCipheriv(name, keyObject(key), nonce, { authTagLength })
      cipher.setAAD(aad)
      return concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
    },
    aeadOpen: async (key, nonce, aad, ciphertext) => {
      const cipher = createDecipheriv(name, keyObject(key), nonce, { authTagLength })
      const end = ciphertext.length - authTagLength
      try {
        cipher.setAAD(aad)
        cipher.setAuthTag(ciphertext.subarray(Math.max(end, 0)))
        return concatBytes(cipher.update(ciphertext.subarray(0, Math.max(end, 0))), cipher.final())
      } catch (cause) {
        throw openFailed(cause)
      }
    },
  }
}
