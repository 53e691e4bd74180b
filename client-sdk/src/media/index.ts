export { type CodecRule, codecRuleFor } from './codecs/index.ts'
export type { EncodedFrame } from './encodedFrame.ts'
export { MediaError, type MediaErrorCode } from './error.ts'
export type {
  AuthenticityStats,
  EpochKeys,
  FrameCryptor,
  FrameCryptorHost,
  FrameCryptorStats,
  ListSignatures,
  MediaSource,
  MediaVerdict,
  ReceivedStats,
} from './frameCryptor.ts'
export type { FrameLayer } from './frameLayer.ts'
export { FrameOpener, type OpenRefusal, type OpenResult } from './frameOpener.ts'
export { FrameProtector, type ProtectDrop, type ProtectResult } from './frameProtector.ts'
export { FrameWitness, type FrameWitnessOptions, type TrailedOpening } from './frameWitness.ts'
export type { WaitDrop } from './keyWaitQueue.ts'
export { type MediaPlatform, mediaPlatform } from './mediaPlatform.ts'
export { type OpenDrop, type ReceiverStats, ReceiveTransform } from './receiveTransform.ts'
export {
  DECODER_PATIENCE_MS,
  type Reception,
  type ReceptionState,
  SILENCE_MS,
} from './reception.ts'
export {
  BLIP_MS,
  DEGRADED_INTERVAL_MS,
  FIRST_FRAME_PATIENCE_MS,
  type Notice,
} from './receptionNotices.ts'
export {
  newestOfEach,
  ReceptionWatch,
  type ReceptionWatchOptions,
  SAMPLE_INTERVAL_MS,
  type WatchedTrack,
} from './receptionWatch.ts'
export { type SenderStats, SendTransform } from './sendTransform.ts'
export { createWorkerFrameCryptor, type WorkerFrameCryptorOptions } from './workerFrameCryptor.ts'
