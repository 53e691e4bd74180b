/** What is used of RTCEncodedVideoFrame and RTCEncodedAudioFrame. */
export interface EncodedFrame {
  data: ArrayBuffer
  /** Video frames only. */
  readonly type?: string
  getMetadata(): { readonly mimeType?: string }
}
