import { FrameOpener } from '../../../client-sdk/src/media/frameOpener.ts'
import { FrameProtector } from '../../../client-sdk/src/media/frameProtector.ts'
import type { Bytes } from '../../../core/src/codec/bytes.ts'
import { type FrameAead, FrameDecryptor, FrameEncryptor } from '../../../core/src/sframe/index.ts'
import { expectDone } from '../benchError.ts'
import type { FrameCipher } from './frameCipher.ts'
import { members, sendingLeaf } from './members.ts'
import type { SampleCodec } from './sampleFrames.ts'

const noMetadata = new Uint8Array(0)
const source = 'camera'
const expected = { leaf: sendingLeaf, source } as const

/** SFrame alone: header, ciphertext and tag, without a codec. */
export function sframeCipher(aead: FrameAead): FrameCipher<Bytes> {
  const { sender, receiver } = members(aead)
  const encryptor = new FrameEncryptor(sender, source)
  const decryptor = new FrameDecryptor(receiver, expected)
  return {
    async sealAll(frame, times, handOn) {
      for (let i = 0; i < times; i++) {
        const sealed = await encryptor.encrypt(noMetadata, frame)
        if (sealed.ok) handOn(sealed.ciphertext)
        else expectDone(false, `a frame was not encrypted: ${sealed.reason}`)
      }
    },
    async openAll(frames, handOn) {
      for (const frame of frames) {
        const opened = await decryptor.decrypt(noMetadata, frame)
        if (opened.ok) handOn(opened.plaintext.buffer)
        else expectDone(false, `a frame was not opened: ${opened.reason}`)
      }
    },
    bufferOf: (sealed) => sealed.buffer,
  }
}

/** What a transform does with the frames of a codec. */
export function codecCipher(aead: FrameAead, codec: SampleCodec): FrameCipher<Bytes> {
  const { sender, receiver } = members(aead)
  const protector = new FrameProtector(sender, source)
  const opener = new FrameOpener(receiver, expected)
  return {
    async sealAll(frame, times, handOn) {
      for (let i = 0; i < times; i++) {
        const sealed = await protector.protect(codec, frame)
        if (sealed.ok) handOn(sealed.frame)
        else expectDone(false, `a frame was not protected: ${sealed.reason}`)
      }
    },
    async openAll(frames, handOn) {
      for (const frame of frames) {
        const opened = await opener.open(codec, frame)
        if (opened.ok) handOn(opened.frame.buffer)
        else expectDone(false, `a frame was not opened: ${opened.reason}`)
      }
    },
    bufferOf: (sealed) => sealed.buffer,
  }
}
