export { type CodecRule, codecRuleFor } from './codecs/index.ts'
export type { EncodedFrame } from './encodedFrame.ts'
export { MediaError, type MediaErrorCode } from './error.ts'
export type {
  EpochKeys,
  FrameCryptor,
  FrameCryptorHost,
  FrameCryptorStats,
  MediaSource,
} from './frameCryptor.ts'
export { FrameOpener, type OpenRefusal, type OpenResult } from './frameOpener.ts'
export { FrameProtector, type ProtectDrop, type ProtectResult } from './frameProtector.ts'
export type { WaitDrop } from './keyWaitQueue.ts'
export { type MediaPlatform, mediaPlatform } from './mediaPlatform.ts'
export { type OpenDrop, type ReceiverStats, ReceiveTransform } from './receiveTransform.ts'
export { type SenderStats, SendTransform } from './sendTransform.ts'
export { createWorkerFrameCryptor, type WorkerFrameCryptorOptions } from './workerFrameCryptor.ts'
