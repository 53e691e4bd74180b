import { type MediaSource, mediaKindOf, type ProduceRequest } from '@conclave/core/mediaSignalling'
import type { types } from 'mediasoup-client'
import { CallError } from './callError.ts'
import type { MediaProtection } from './mediaProtection.ts'
import type { MediaTransports } from './mediaTransports.ts'
import type { Signalling } from './signalling.ts'

/** A simulcast layer, or all layers of one that has a scalability mode (W3C webrtc-svc). */
export interface PublishEncoding extends RTCRtpEncodingParameters {
  /** Such as `L3T3_KEY`. Of AV1 the SFU forwards temporal layers only: `L1T2` or `L1T3`. */
  readonly scalabilityMode?: string
}

/** A track that is being sent, encrypted, under one source. */
export interface Publication {
  readonly source: MediaSource
  readonly track: MediaStreamTrack
  readonly paused: boolean
  /** Sends nothing until `resume`; the track itself stays as it is. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Sends another track of the same kind from now on, under the same keys. */
  replaceTrack(track: MediaStreamTrack): Promise<void>
  /** Ends sending; the track itself goes on. May be called twice. */
  close(): Promise<void>
}

export interface PublishedTrackOptions {
  readonly track: MediaStreamTrack
  readonly source: MediaSource
  readonly codec?: string
  readonly encodings?: readonly PublishEncoding[]
  readonly dtx?: boolean
  readonly transports: MediaTransports
  readonly signalling: Signalling
  readonly protection: MediaProtection
  /** The publication is over: closed, or its track has ended. */
  readonly onClosed: () => void
}

/** What `announceProducer` needs of the track that mediasoup-client is about to produce. */
interface ProducedAppData extends types.AppData {
  readonly source: MediaSource
  readonly leaf: number
  /** Set when the sender exists, which is before anything is negotiated. */
  protecting: Promise<void> | undefined
}

/**
 * The announcement of a producer: it waits until the sender's encryption is confirmed, and fails
 * with it, so that the SFU never hears of a track that would go out in clear.
 */
export async function announceProducer(
  signalling: Signalling,
  transportId: string,
  produced: { kind: types.MediaKind; rtpParameters: types.RtpParameters; appData: types.AppData },
): Promise<string> {
  const { source, leaf, protecting } = produced.appData as ProducedAppData
  if (protecting === undefined) {
    throw new CallError('publish-failed', 'the browser gave no sender to protect')
  }
  await protecting
  const { kind } = produced
  const rtpParameters = produced.rtpParameters as ProduceRequest['rtpParameters']
  const request = { transportId, kind, rtpParameters, source, leaf }
  const { producerId } = await signalling.request('produce', request)
  return producerId
}

const SEVERAL_SPATIAL_LAYERS = /^[LS][2-9]/

/**
 * mediasoup takes the dependency descriptor off what it forwards, and receivers find spatial layers
 * of AV1 by nothing else.
 */
function checkLayers({ codec, encodings = [] }: PublishedTrackOptions): void {
  const modes = encodings.map(({ scalabilityMode = '' }) => scalabilityMode)
  const refused = modes.find((mode) => SEVERAL_SPATIAL_LAYERS.test(mode))
  if (refused === undefined || codec?.toLowerCase() !== 'video/av1') return
  throw new CallError('layers-unavailable', `the SFU does not carry ${refused} of AV1`, {
    remedy: 'send AV1 in one spatial layer, such as L1T3',
  })
}

export class PublishedTrack implements Publication {
  readonly #options: PublishedTrackOptions
  #track: MediaStreamTrack
  #producer: types.Producer | undefined
  #leaf = -1
  #closed = false

  constructor(options: PublishedTrackOptions) {
    this.#options = options
    this.#track = options.track
  }

  get source(): MediaSource {
    return this.#options.source
  }

  get track(): MediaStreamTrack {
    return this.#track
  }

  get paused(): boolean {
    return this.#producer?.paused ?? false
  }

  /** The leaf under which others have been told to expect it. */
  get leaf(): number {
    return this.#leaf
  }

  /**
   * @throws CallError `codec-unavailable`, `layers-unavailable` and others; whatever `protect` throws
   */
  async start(): Promise<void> {
    const { source, encodings, dtx, transports, protection } = this.#options
    checkLayers(this.#options)
    const codec = this.#codec()
    const transport = await transports.get('send')
    const leaf = protection.ownLeaf()
    const appData: ProducedAppData = { source, leaf, protecting: undefined }
    let producer: types.Producer
    try {
      producer = await transport.produce({
        track: this.#track,
        stopTracks: false,
        disableTrackOnPause: false,
        zeroRtpOnPause: true,
        // mediasoup-client writes into the encodings that it gets.
        ...(encodings === undefined ? {} : { encodings: encodings.map((each) => ({ ...each })) }),
        ...(dtx && !transports.concealSpeech ? { codecOptions: { opusDtx: true } } : {}),
        ...(codec === undefined ? {} : { codec }),
        appData,
        onRtpSender: (sender) => {
          appData.protecting = protection.protect(sender, { source })
          // Awaited when the producer is announced; until then it must not count as unhandled.
          appData.protecting.catch(() => {})
        },
      })
    } catch (cause) {
      await appData.protecting
      if (cause instanceof CallError) throw cause
      throw new CallError('publish-failed', `the ${source} could not be published`, { cause })
    }
    this.#leaf = leaf
    this.#producer = producer
    producer.on('trackended', () => void this.close())
    if (this.#closed) await this.#end(producer)
  }

  /** Announces the same track anew after one's own leaf has changed. */
  async restart(): Promise<void> {
    const producer = this.#producer
    if (producer === undefined || this.#closed) return
    this.#producer = undefined
    const wasPaused = producer.paused
    await this.#end(producer)
    await this.start()
    if (wasPaused) await this.pause()
  }

  async pause(): Promise<void> {
    const producer = this.#open()
    producer.pause()
    await this.#options.signalling.request('pauseProducer', { producerId: producer.id })
  }

  async resume(): Promise<void> {
    const producer = this.#open()
    await this.#options.signalling.request('resumeProducer', { producerId: producer.id })
    producer.resume()
  }

  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    if (track.kind !== this.#track.kind) {
      throw new CallError('source-mismatch', `the ${this.source} is ${this.#track.kind}`)
    }
    await this.#open().replaceTrack({ track })
    this.#track = track
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#options.onClosed()
    if (this.#producer !== undefined) await this.#end(this.#producer)
  }

  #codec(): types.RtpCodecCapability | undefined {
    const { codec: mimeType, source, transports } = this.#options
    if (mimeType === undefined) return undefined
    const codec = transports.sendCodec(mediaKindOf(source), mimeType)
    if (codec !== undefined) return codec
    throw new CallError('codec-unavailable', `browser and SFU do not share ${mimeType}`, {
      remedy: 'leave the choice of the codec to the call',
    })
  }

  #open(): types.Producer {
    if (this.#closed || this.#producer === undefined) {
      throw new CallError('call-closed', `the ${this.source} is no longer published`)
    }
    return this.#producer
  }

  async #end(producer: types.Producer): Promise<void> {
    if (!producer.closed) producer.close()
    const closing = this.#options.signalling.request('closeProducer', { producerId: producer.id })
    // The SFU forgets it with the connection if it did not hear of it now.
    await closing.catch(() => {})
  }
}
