import {
  createWorkerFrameCryptor,
  type EpochKeys,
  type FrameCryptor,
  type MediaSource,
  mediaPlatform,
} from '@conclave/client/media'
import type { Clock } from '@conclave/core'
import type { RelayAttack, RelayOrder, RelayReport } from './relayMessages.ts'

const SENDER_LEAF = 0
const RECEIVER_LEAF = 1
const SOURCES = ['microphone', 'camera', 'screen'] as const

const clock: Clock = {
  now: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

function epochKeys(ownLeaf: number): EpochKeys {
  return {
    epoch: 1n,
    baseKey: new Uint8Array(16).fill(1),
    ownLeaf,
    leaves: [SENDER_LEAF, RECEIVER_LEAF],
    removedLeaves: [],
    incarnation: 0,
  }
}

/** What one source has been through. */
export interface SourceReport {
  /** How often the relay has attacked it. */
  readonly attacks: number
  readonly dropped: Readonly<Partial<Record<string, number>>>
  /** Frames of video that were decoded, samples of sound that were not made up. */
  readonly shown: number
}

/** Two pictures and a sound from one peer connection to another of the page, through a hostile relay. */
export class RelayedCall {
  readonly #sending = new RTCPeerConnection(mediaPlatform().connectionSettings)
  readonly #receiving = new RTCPeerConnection(mediaPlatform().connectionSettings)
  readonly #attacks = new Map<MediaSource, number>()
  readonly #senderCryptor: FrameCryptor
  readonly #receiverCryptor: FrameCryptor
  readonly #relays = new Map<'sender' | 'receiver', Worker>()

  constructor() {
    this.#senderCryptor = this.#cryptor('sender')
    this.#receiverCryptor = this.#cryptor('receiver')
    this.#senderCryptor.installEpoch(epochKeys(SENDER_LEAF))
    this.#receiverCryptor.installEpoch(epochKeys(RECEIVER_LEAF))
    this.#sending.onicecandidate = ({ candidate }) => this.#receiving.addIceCandidate(candidate)
    this.#receiving.onicecandidate = ({ candidate }) => this.#sending.addIceCandidate(candidate)
  }

  /** @param unprotect whether the receiver opens frames, or takes them as they come */
  async start(unprotect: boolean): Promise<void> {
    const media = await navigator.mediaDevices.getUserMedia({
      audio: true,
      video: { width: 320, height: 180 },
    })
    const [sound] = media.getAudioTracks()
    const [picture] = media.getVideoTracks()
    if (sound === undefined || picture === undefined) throw new Error('no devices')
    const tracks = { microphone: sound, camera: picture, screen: picture.clone() }
    const attaching: Promise<void>[] = []
    for (const source of SOURCES) {
      const track = tracks[source]
      const transceiver = this.#sending.addTransceiver(track, { direction: 'sendonly' })
      const codecs = RTCRtpSender.getCapabilities(track.kind)?.codecs ?? []
      transceiver.setCodecPreferences(
        codecs.filter(({ mimeType }) => mimeType === 'video/VP8' || mimeType === 'audio/opus'),
      )
      attaching.push(this.#senderCryptor.protect(transceiver.sender, { source }))
    }
    this.#receiving.ontrack = ({ receiver, transceiver }) => {
      const element = document.createElement(receiver.track.kind as 'video' | 'audio')
      element.autoplay = true
      element.srcObject = new MediaStream([receiver.track])
      document.body.append(element)
      if (!unprotect) return
      const expected = { leaf: SENDER_LEAF, source: sourceAt(transceiver.mid) }
      attaching.push(this.#receiverCryptor.unprotect(receiver, expected))
    }
    await this.#sending.setLocalDescription()
    const { localDescription: offer } = this.#sending
    await this.#receiving.setRemoteDescription(offer as RTCSessionDescription)
    await this.#receiving.setLocalDescription()
    const { localDescription: answer } = this.#receiving
    await this.#sending.setRemoteDescription(answer as RTCSessionDescription)
    await Promise.all(attaching)
  }

  /** Has the relay attack each of these sources so often. */
  attack(attack: RelayAttack, sources: readonly MediaSource[], times: number): void {
    const end = attack === 'replay' || attack === 'inject' ? 'receiver' : 'sender'
    const order: RelayOrder = { type: 'relay', attack, sources, times }
    this.#relays.get(end)?.postMessage(order)
  }

  async report(): Promise<Record<string, SourceReport>> {
    const { receivers } = await this.#receiverCryptor.stats()
    const reports: Record<string, SourceReport> = {}
    for (const inbound of (await this.#receiving.getStats()).values()) {
      if (inbound.type !== 'inbound-rtp') continue
      const source = sourceAt(inbound.mid)
      const counted = receivers.find((each) => each.source === source)
      reports[source] = {
        attacks: this.#attacks.get(source) ?? 0,
        dropped: counted?.dropped ?? {},
        shown:
          inbound.kind === 'video'
            ? inbound.framesDecoded
            : inbound.totalSamplesReceived - inbound.concealedSamples,
      }
    }
    return reports
  }

  #cryptor(end: 'sender' | 'receiver'): FrameCryptor {
    return createWorkerFrameCryptor({
      clock,
      createWorker: () => {
        const relay = new Worker(new URL('./relayWorker.ts', import.meta.url), { type: 'module' })
        relay.addEventListener('message', ({ data }: MessageEvent<RelayReport>) => {
          if (data.type !== 'relayed') return
          this.#attacks.set(data.source, (this.#attacks.get(data.source) ?? 0) + 1)
        })
        this.#relays.set(end, relay)
        return relay
      },
    })
  }
}

/** Media sections stand in the order in which sources were added. */
function sourceAt(mid: string | null): MediaSource {
  const source = SOURCES[Number(mid)]
  if (source === undefined) throw new Error(`no source has mid ${mid}`)
  return source
}
