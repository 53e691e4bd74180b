/** What is used of RTCEncodedVideoFrame and RTCEncodedAudioFrame. */
export interface EncodedFrame {
  data: ArrayBuffer
  /** Video frames only. */
  readonly type?: string
  getMetadata(): {
    readonly mimeType?: string
    readonly synchronizationSource?: number
    /** Video frames only, as the next one. */
    readonly spatialIndex?: number
    readonly temporalIndex?: number
  }
}
