import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { bareAad, bareKey, bareNonce } from './bareWebCrypto.ts'
import type { FrameCipher } from './frameCipher.ts'

interface Sealed {
  readonly ciphertext: Uint8Array<ArrayBuffer>
  readonly tag: Uint8Array
}

/** AES-128-GCM by node:crypto and nothing else: on the calling thread, without a promise. */
export function bareNodeCrypto(): FrameCipher<Sealed> {
  const key = createSecretKey(bareKey)
  return {
    async sealAll(frame, times, handOn) {
      for (let i = 0; i < times; i++) {
        const cipher = createCipheriv('aes-128-gcm', key, bareNonce)
        cipher.setAAD(bareAad)
        const ciphertext = cipher.update(frame)
        cipher.final()
        handOn({ ciphertext, tag: cipher.getAuthTag() })
      }
    },
    async openAll(sealed, handOn) {
      for (const { ciphertext, tag } of sealed) {
        const decipher = createDecipheriv('aes-128-gcm', key, bareNonce)
        decipher.setAAD(bareAad)
        decipher.setAuthTag(tag)
        const plaintext = decipher.update(ciphertext)
        decipher.final()
        handOn(plaintext.buffer)
      }
    },
    bufferOf: ({ ciphertext }) => ciphertext.buffer,
  }
}
