import type { Bytes } from '../../../core/src/codec/bytes.ts'
import type { FrameCipher } from './frameCipher.ts'

/** As long as those of a frame; what they hold costs nothing. */
export const bareAad: Bytes = new Uint8Array(7).fill(1)
export const bareNonce: Bytes = new Uint8Array(12).fill(2)
export const bareKey: Bytes = new Uint8Array(16).fill(3)

/** AES-128-GCM by WebCrypto and nothing else: one frame is under way at a time. */
export async function bareWebCrypto(subtle: SubtleCrypto): Promise<FrameCipher<ArrayBuffer>> {
  const key = await subtle.importKey('raw', bareKey, 'AES-GCM', false, ['encrypt', 'decrypt'])
  const algorithm = () => ({
    name: 'AES-GCM',
    iv: bareNonce,
    additionalData: bareAad,
    tagLength: 128,
  })
  return {
    async sealAll(frame, times, handOn) {
      for (let i = 0; i < times; i++) handOn(await subtle.encrypt(algorithm(), key, frame))
    },
    async openAll(sealed, handOn) {
      for (const frame of sealed) handOn(await subtle.decrypt(algorithm(), key, frame))
    },
    bufferOf: (sealed) => sealed,
  }
}
