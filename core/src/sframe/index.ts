export { type AeadKey, type FrameAead, webCryptoAead } from './aead.ts'
export { deriveKeySalt, deriveSecret, SFrameKey } from './cipher.ts'
export { AES_128_GCM_SHA256_128, cipherSuite, type SFrameCipherSuite } from './cipherSuite.ts'
export {
  type EpochInstall,
  type EpochKeyRefusal,
  MAX_INCARNATIONS,
  type ReceivingKey,
  type SendingKey,
} from './epochKeys.ts'
export { SFrameError, type SFrameErrorCode } from './error.ts'
export {
  type DecryptResult,
  type DropReason,
  type ExpectedSender,
  FrameDecryptor,
  type OpenedFrame,
} from './frameDecryptor.ts'
export { type EncryptRefusal, type EncryptResult, FrameEncryptor } from './frameEncryptor.ts'
export {
  type FrameKeySource,
  FrameKeys,
  type KeyLookup,
  type KeyRefusal,
  OLD_KEY_LIFE_AFTER_REMOVE_MS,
  OLD_KEY_LIFE_MS,
  SEND_DELAY_MS,
} from './frameKeys.ts'
export { decodeHeader, encodeHeader, MAX_HEADER_LENGTH, type SFrameHeader } from './header.ts'
export { KEY_BLOCKS, KeyUsage } from './keyUsage.ts'
export * from './lists/index.ts'
export {
  BASE_KEY_EXPORTER_LABEL,
  CONCLAVE_KID_LAYOUT,
  decodeContext,
  decodeKid,
  encodeContext,
  encodeKid,
  type FrameSender,
  type KidLayout,
  type KidParts,
  type MediaSource,
} from './mlsKeys.ts'
export { REPLAY_WINDOW_SIZE, ReplayWindow } from './replayWindow.ts'
export { SendCounter } from './sendCounter.ts'
