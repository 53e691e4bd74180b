import type { RtpCapabilities, TransportDirection } from '@conclave/core/mediaSignalling'
import { Device, type types } from 'mediasoup-client'
import { acceptedCapabilities } from './acceptedCapabilities.ts'
import { CallError } from './callError.ts'
import type { Signalling } from './signalling.ts'

export interface MediaTransportsOptions {
  readonly signalling: Signalling
  readonly iceServers?: readonly RTCIceServer[]
  /** What the browser needs to give encoded frames away. */
  readonly connectionSettings: RTCConfiguration
  readonly concealSpeech: boolean
  /** A transport failed for good. */
  readonly onFailed: () => void
  /** Announces a producer to the SFU once its frames are encrypted; gives the producer's id. */
  readonly announce: (
    transportId: string,
    parameters: {
      kind: types.MediaKind
      rtpParameters: types.RtpParameters
      appData: types.AppData
    },
  ) => Promise<string>
}

/** mediasoup-client's device and its two transports, each made when it is first needed. */
export class MediaTransports {
  readonly #device: Device
  readonly #options: MediaTransportsOptions
  readonly #transports = new Map<TransportDirection, Promise<types.Transport>>()
  #closed = false

  private constructor(device: Device, options: MediaTransportsOptions) {
    this.#device = device
    this.#options = options
  }

  /**
   * @param handlerFactory instead of the one that mediasoup-client has for this browser
   * @throws CallError `browser-unsupported` or `no-common-codec`
   */
  static async create(
    offered: RtpCapabilities,
    options: MediaTransportsOptions,
    handlerFactory?: types.HandlerFactory,
  ): Promise<MediaTransports> {
    let device: Device
    try {
      device = await Device.factory(handlerFactory === undefined ? {} : { handlerFactory })
    } catch (cause) {
      throw new CallError('browser-unsupported', 'this browser is not supported', { cause })
    }
    try {
      await device.load({ routerRtpCapabilities: acceptedCapabilities(offered, options) })
    } catch (cause) {
      throw new CallError('sfu-protocol-violated', "the SFU's capabilities cannot be used", {
        cause,
      })
    }
    if ((device.recvRtpCapabilities.codecs ?? []).length === 0) {
      throw new CallError('no-common-codec', 'no codec that this browser and the SFU share')
    }
    return new MediaTransports(device, options)
  }

  /** Whether neither sizes nor headers of audio may tell speech from silence. */
  get concealSpeech(): boolean {
    return this.#options.concealSpeech
  }

  /** What this client can receive, for the SFU. */
  get rtpCapabilities(): RtpCapabilities {
    // mediasoup-client leaves the values of codec parameters untyped.
    return this.#device.recvRtpCapabilities as RtpCapabilities
  }

  /** The codec of that name and kind among those that this client and the SFU share. */
  sendCodec(kind: types.MediaKind, mimeType: string): types.RtpCodecCapability | undefined {
    const wanted = mimeType.toLowerCase()
    const { codecs = [] } = this.#device.sendRtpCapabilities
    return codecs.find((codec) => codec.kind === kind && codec.mimeType.toLowerCase() === wanted)
  }

  /**
   * The transport of that direction.
   *
   * @throws CallError `sfu-refused` (without the grant), `sfu-unreachable`, `sfu-protocol-violated`
   */
  get(direction: TransportDirection): Promise<types.Transport> {
    const known = this.#transports.get(direction)
    if (known !== undefined) return known
    const creating = this.#create(direction)
    this.#transports.set(direction, creating)
    creating.catch(() => this.#transports.delete(direction))
    return creating
  }

  close(): void {
    this.#closed = true
    for (const creating of this.#transports.values()) {
      creating.then(
        (transport) => transport.close(),
        () => {},
      )
    }
  }

  async #create(direction: TransportDirection): Promise<types.Transport> {
    const { signalling, iceServers, onFailed, announce } = this.#options
    const created = await signalling.request('createTransport', { direction })
    if (this.#closed) throw new CallError('call-closed', 'the call was closed meanwhile')
    const { transportId, iceParameters, iceCandidates, dtlsParameters } = created
    const parameters = {
      id: transportId,
      iceParameters,
      iceCandidates,
      dtlsParameters,
      ...(iceServers === undefined ? {} : { iceServers: [...iceServers] }),
      additionalSettings: this.#options.connectionSettings,
    }
    let transport: types.Transport
    try {
      transport =
        direction === 'send'
          ? this.#device.createSendTransport(parameters)
          : this.#device.createRecvTransport(parameters)
    } catch (cause) {
      throw new CallError('sfu-protocol-violated', 'the SFU described no transport', { cause })
    }
    transport.on('connect', ({ dtlsParameters: own }, done, failed) => {
      signalling
        .request('connectTransport', { transportId, dtlsParameters: own })
        .then(done, failed)
    })
    transport.on('produce', (produced, done, failed) => {
      announce(transportId, produced).then((id) => done({ id }), failed)
    })
    transport.on('connectionstatechange', (state) => {
      if (state === 'failed') onFailed()
    })
    return transport
  }
}
