import {
  createWorkerFrameCryptor,
  type EpochKeys,
  type FrameCryptor,
  type FrameCryptorStats,
  mediaPlatform,
  type ReceptionState,
  ReceptionWatch,
} from '@conclave/client/media'
import type { Clock } from '@conclave/core'

/** The page's clock, which may run faster than time. */
function clockOf(speed: number): Clock {
  return {
    now: () => performance.now() * speed,
    setTimer(delayMs, callback) {
      const timer = setTimeout(callback, delayMs / speed)
      return () => clearTimeout(timer)
    },
  }
}

/** What may stand in for the media worker: one that says nothing, one that fails at once. */
const standIns = {
  silent: () => new Worker(new URL('./silentWorker.js', import.meta.url), { type: 'module' }),
  broken: () => new Worker(new URL('./brokenWorker.js', import.meta.url), { type: 'module' }),
  failing: () => new Worker(new URL('./failingWorker.js', import.meta.url), { type: 'module' }),
}

const SENDER_LEAF = 0
const RECEIVER_LEAF = 1

export interface LoopbackOptions {
  readonly protect: boolean
  readonly unprotect: boolean
  readonly audioCodec: string
  /** Whether the two ends find each other after they have negotiated. */
  readonly connect: boolean
  readonly standIn?: keyof typeof standIns
  /** How many times faster than time the cryptors' clocks are. */
  readonly clockSpeed: number
  /** As in a browser that has encoded streams but no RTCRtpScriptTransform. */
  readonly legacy: boolean
}

export interface MediaReport {
  readonly video: {
    readonly framesEncoded: number
    readonly keyFramesEncoded: number
    readonly packetsSent: number
    readonly framesDecoded: number
    readonly framesReceived: number
    readonly trackEnabled: boolean
  }
  readonly audio: {
    readonly packetsSent: number
    readonly emitted: number
    readonly received: number
    readonly concealed: number
    readonly energy: number
    readonly trackEnabled: boolean
  }
}

function epochKeys(
  epoch: number,
  ownLeaf: number,
  seed: number,
  leaves: number[],
  incarnation = 0,
): EpochKeys {
  return {
    epoch: BigInt(epoch),
    baseKey: new Uint8Array(16).fill(epoch + seed),
    ownLeaf,
    leaves,
    removedLeaves: [],
    incarnation,
  }
}

/** A camera and a microphone sent from one peer connection to another of the same page. */
export class Loopback {
  readonly #options: LoopbackOptions
  readonly #sending: RTCPeerConnection
  readonly #receiving: RTCPeerConnection
  readonly #senderCryptor: FrameCryptor
  readonly #receiverCryptor: FrameCryptor
  readonly #watch: ReceptionWatch
  readonly failures: string[] = []
  /** How often each end has lost its keys, and got them anew. */
  readonly losses = { sender: 0, receiver: 0 }
  readonly #workers: { sender: Worker[]; receiver: Worker[] } = { sender: [], receiver: [] }
  /** What was told of the receivers. */
  readonly notices: string[] = []
  /** The codes with which protecting and unprotecting failed. */
  refusals: string[] = []

  constructor(options: LoopbackOptions) {
    this.#options = options
    // Without a TURN server there is no relay, so two that insist on one never meet.
    const iceTransportPolicy = options.connect ? 'all' : 'relay'
    if (options.legacy) Reflect.deleteProperty(globalThis, 'RTCRtpScriptTransform')
    const settings = { iceTransportPolicy, ...mediaPlatform().connectionSettings } as const
    this.#sending = new RTCPeerConnection(settings)
    this.#receiving = new RTCPeerConnection(settings)
    this.#senderCryptor = this.#cryptor('sender')
    this.#receiverCryptor = this.#cryptor('receiver')
    this.#watch = new ReceptionWatch({
      clock: clockOf(1),
      cryptor: this.#receiverCryptor,
      onVerdict: () => {},
      onNotice: ({ source }, notice) => {
        this.notices.push(`${source} ${notice.type === 'degraded' ? notice.state : notice.type}`)
      },
    })
    this.#sending.onicecandidate = ({ candidate }) => this.#receiving.addIceCandidate(candidate)
    this.#receiving.onicecandidate = ({ candidate }) => this.#sending.addIceCandidate(candidate)
  }

  async start(): Promise<void> {
    const media = await navigator.mediaDevices.getUserMedia({
      audio: true,
      video: { width: 320, height: 180 },
    })
    const attaching: Promise<void>[] = []
    for (const track of media.getTracks()) {
      const transceiver = this.#sending.addTransceiver(track, { direction: 'sendonly' })
      const { audioCodec } = this.#options
      const codecs = RTCRtpSender.getCapabilities(track.kind)?.codecs ?? []
      transceiver.setCodecPreferences(
        codecs.filter(({ mimeType }) => mimeType === 'video/VP8' || mimeType === audioCodec),
      )
      if (this.#options.protect) {
        const source = track.kind === 'video' ? 'camera' : 'microphone'
        attaching.push(this.#senderCryptor.protect(transceiver.sender, { source }))
      }
    }
    this.#receiving.ontrack = ({ receiver }) => {
      const element = document.createElement(receiver.track.kind as 'video' | 'audio')
      element.autoplay = true
      element.srcObject = new MediaStream([receiver.track])
      document.body.append(element)
      if (!this.#options.unprotect) return
      const source = receiver.track.kind === 'video' ? 'camera' : 'microphone'
      const expected = { leaf: SENDER_LEAF, source } as const
      const unprotecting = this.#receiverCryptor.unprotect(receiver, expected)
      attaching.push(unprotecting.then(() => this.#watch.start()))
    }
    await this.#sending.setLocalDescription()
    await this.#receiving.setRemoteDescription(
      this.#sending.localDescription as RTCSessionDescription,
    )
    await this.#receiving.setLocalDescription()
    await this.#sending.setRemoteDescription(
      this.#receiving.localDescription as RTCSessionDescription,
    )
    this.refusals = (await Promise.allSettled(attaching)).flatMap((result) =>
      result.status === 'rejected' ? [String(result.reason.code ?? result.reason)] : [],
    )
  }

  #cryptor(end: 'sender' | 'receiver'): FrameCryptor {
    const { standIn, clockSpeed } = this.#options
    const leaves = [SENDER_LEAF, RECEIVER_LEAF]
    const createWorker = standIn && standIns[standIn]
    return createWorkerFrameCryptor({
      clock: clockOf(clockSpeed),
      onFailure: (error) => this.failures.push(error.code),
      ...(createWorker && {
        createWorker: () => {
          const worker = createWorker()
          this.#workers[end].push(worker)
          return worker
        },
      }),
      ...(standIn === 'failing' && {
        onKeysLost: (_, take) => {
          const incarnation = ++this.losses[end]
          take(epochKeys(1, end === 'sender' ? SENDER_LEAF : RECEIVER_LEAF, 0, leaves, incarnation))
        },
      }),
    })
  }

  /** Has the worker of one end fail, or do nothing any more. */
  tellWorker(end: 'sender' | 'receiver', what: 'fail' | 'hang'): void {
    this.#workers[end].at(-1)?.postMessage(what)
  }

  /** Whether the senders have tracks to send. */
  sendersHaveTracks(): boolean[] {
    return this.#sending.getSenders().map(({ track }) => track !== null)
  }

  installAtSender(epoch: number, seed = 0, leaves = [SENDER_LEAF, RECEIVER_LEAF]): void {
    this.#senderCryptor.installEpoch(epochKeys(epoch, SENDER_LEAF, seed, leaves))
  }

  installAtReceiver(epoch: number, seed = 0, leaves = [SENDER_LEAF, RECEIVER_LEAF]): void {
    this.#receiverCryptor.installEpoch(epochKeys(epoch, RECEIVER_LEAF, seed, leaves))
  }

  /** The code with which protecting the sender of that kind is refused now. */
  async protectAgain(kind: 'audio' | 'video' = 'video'): Promise<string> {
    const sender = this.#sending.getSenders().find(({ track }) => track?.kind === kind)
    if (sender === undefined) return 'no-sender'
    const source = kind === 'video' ? 'camera' : 'microphone'
    return this.#senderCryptor.protect(sender, { source }).then(
      () => 'protected',
      (error) => String(error.code ?? error),
    )
  }

  senderStats(): Promise<FrameCryptorStats> {
    return this.#senderCryptor.stats()
  }

  receiverStats(): Promise<FrameCryptorStats> {
    return this.#receiverCryptor.stats()
  }

  /** What becomes of what that kind of receiver gets. */
  state(kind: 'audio' | 'video'): ReceptionState | undefined {
    const receiver = this.#receiving.getReceivers().find(({ track }) => track.kind === kind)
    return receiver && this.#watch.receptionOf(receiver)?.state
  }

  async report(): Promise<MediaReport> {
    const outbound = await byKind(this.#sending, 'outbound-rtp')
    const inbound = await byKind(this.#receiving, 'inbound-rtp')
    const enabled = (kind: string) =>
      this.#receiving.getReceivers().find(({ track }) => track.kind === kind)?.track.enabled ===
      true
    const { video: videoOut, audio: audioOut } = outbound
    const { video, audio } = inbound
    return {
      video: {
        framesEncoded: videoOut?.['framesEncoded'] ?? 0,
        keyFramesEncoded: videoOut?.['keyFramesEncoded'] ?? 0,
        packetsSent: videoOut?.['packetsSent'] ?? 0,
        framesDecoded: video?.['framesDecoded'] ?? 0,
        framesReceived: video?.['framesReceived'] ?? 0,
        trackEnabled: enabled('video'),
      },
      audio: {
        packetsSent: audioOut?.['packetsSent'] ?? 0,
        emitted: audio?.['jitterBufferEmittedCount'] ?? 0,
        received: audio?.['totalSamplesReceived'] ?? 0,
        concealed: audio?.['concealedSamples'] ?? 0,
        energy: audio?.['totalAudioEnergy'] ?? 0,
        trackEnabled: enabled('audio'),
      },
    }
  }

  closeCryptor(end: 'sender' | 'receiver'): void {
    if (end === 'sender') this.#senderCryptor.close()
    else this.#receiverCryptor.close()
  }
}

type NumbersByKind = Partial<Record<string, Record<string, number>>>

async function byKind(connection: RTCPeerConnection, type: string): Promise<NumbersByKind> {
  const found: NumbersByKind = {}
  for (const stats of (await connection.getStats()).values()) {
    if (stats.type === type) found[stats.kind] = stats
  }
  return found
}
