import { systemClock } from '@conclave/client'
import {
  type Call,
  connectCall,
  type MediaProtection,
  type PublishOptions,
  type RemoteTrack,
} from '@conclave/client/call'
import {
  type AuthenticityStats,
  createWorkerFrameCryptor,
  type FrameCryptor,
  type MediaSource,
} from '@conclave/client/media'
import { FrameGaps } from './frameGaps.ts'
import { listSignatures } from './listSignatures.ts'
import { type PictureSize, Tone, videoTrack } from './sources.ts'

/**
 * What is done to frames: `clear` is the control, `listed` has their sender authenticated too,
 * `impersonated` has their lists signed by another leaf, `blind` is a rule that knows no codecs.
 */
export type Treatment = 'encrypted' | 'listed' | 'impersonated' | 'clear' | 'blind'

export interface CallEndOptions {
  readonly sfu: string
  readonly token: string
  readonly leaf: number
  readonly treatment: Treatment
}

export interface VideoToPublish extends PublishOptions {
  readonly size: PictureSize
}

/** Counters since the call began, at one moment. */
export interface Received {
  readonly atMs: number
  readonly video: {
    readonly framesDecoded: number
    readonly freezes: number
    readonly width: number
  }
  readonly audio: {
    readonly samples: number
    readonly concealed: number
    readonly energy: number
  }
}

/** What the frame cryptor has done since the call began. */
export interface Handled {
  readonly opened: number
  /** By reason, whether they were to be sent or received. */
  readonly dropped: Readonly<Record<string, number>>
  /** Of each source that is received. */
  readonly authenticity: Readonly<Partial<Record<MediaSource, AuthenticityStats>>>
}

/** What one stream of a sender is, as its encoder says. */
export interface SentStream {
  readonly kind: string
  readonly mimeType: string
  readonly packetsSent: number
  readonly width: number
  readonly scalabilityMode: string
  /** `screenshare`, or nothing. */
  readonly contentType: string
}

const LEAVES = [0, 1]
/** Of a member who is not in the call. */
const OTHER_LEAF = 2

/** One end of a call through an SFU, between two leaves of a group that has one epoch for ever. */
export class CallEnd {
  readonly #call: Call
  readonly #senders: readonly RTCRtpSender[]
  readonly #cryptor: FrameCryptor | undefined
  readonly #receivers: RTCRtpReceiver[] = []
  readonly #gaps = new FrameGaps()
  #tone: Tone | undefined

  private constructor(call: Call, senders: readonly RTCRtpSender[], cryptor?: FrameCryptor) {
    this.#call = call
    this.#senders = senders
    this.#cryptor = cryptor
    call.on('track', (remote) => this.#play(remote))
  }

  static async join({ sfu, token, leaf, treatment }: CallEndOptions): Promise<CallEnd> {
    const cryptor = treatment === 'clear' ? undefined : frameCryptor(leaf, treatment)
    const senders: RTCRtpSender[] = []
    const protection: MediaProtection = {
      connectionSettings: cryptor?.connectionSettings ?? {},
      ownLeaf: () => leaf,
      participantOf: (leaf) => ({
        leaf,
        identity: `leaf ${leaf}`,
        deviceKey: Uint8Array.of(leaf),
        self: false,
        verified: false,
        deviceChanged: false,
      }),
      onRosterChanged: () => () => {},
      protect: async (sender, options) => {
        senders.push(sender)
        await cryptor?.protect(sender, options)
      },
      unprotect: async (receiver, options) => {
        await cryptor?.unprotect(receiver, options)
      },
    }
    return new CallEnd(await connectCall({ sfu, token, protection }), senders, cryptor)
  }

  async publishVideo({ size, ...options }: VideoToPublish): Promise<void> {
    await this.#call.publish(await videoTrack(options.source, size), options)
  }

  async publishTone(options: PublishOptions): Promise<void> {
    this.#tone = new Tone()
    await this.#call.publish(this.#tone.track, options)
  }

  setSilent(silent: boolean): void {
    if (this.#tone !== undefined) this.#tone.silent = silent
  }

  async sent(): Promise<SentStream[]> {
    const streams: SentStream[] = []
    for (const sender of this.#senders) {
      const stats = await sender.getStats()
      for (const stream of stats.values()) {
        if (stream.type !== 'outbound-rtp') continue
        streams.push({
          kind: stream.kind,
          mimeType: stats.get(stream.codecId)?.mimeType ?? '',
          packetsSent: stream.packetsSent,
          width: stream.frameWidth ?? 0,
          scalabilityMode: stream.scalabilityMode ?? '',
          contentType: stream.contentType ?? '',
        })
      }
    }
    return streams
  }

  async received(): Promise<Received> {
    const { video, audio } = await this.#inbound()
    return {
      atMs: performance.now(),
      video: {
        framesDecoded: video?.['framesDecoded'] ?? 0,
        freezes: video?.['freezeCount'] ?? 0,
        width: video?.['frameWidth'] ?? 0,
      },
      audio: {
        samples: audio?.['totalSamplesReceived'] ?? 0,
        concealed: audio?.['concealedSamples'] ?? 0,
        energy: audio?.['totalAudioEnergy'] ?? 0,
      },
    }
  }

  async handled(): Promise<Handled> {
    const { senders, receivers } = (await this.#cryptor?.stats()) ?? { senders: [], receivers: [] }
    const dropped: Record<string, number> = {}
    for (const stats of [...senders, ...receivers]) {
      for (const [reason, count] of Object.entries(stats.dropped)) {
        dropped[reason] = (dropped[reason] ?? 0) + count
      }
    }
    const opened = receivers.reduce((sum, { opened }) => sum + opened, 0)
    const authenticity = Object.fromEntries(
      receivers.map((receiver) => [receiver.source, receiver.authenticity]),
    )
    return { opened, dropped, authenticity }
  }

  /** The longest time between two frames shown since this was asked last, in milliseconds. */
  takeLongestGap(): number {
    return this.#gaps.takeLongest()
  }

  async #inbound(): Promise<Partial<Record<string, Record<string, number>>>> {
    const found: Partial<Record<string, Record<string, number>>> = {}
    for (const receiver of this.#receivers) {
      for (const stats of (await receiver.getStats()).values()) {
        if (stats.type === 'inbound-rtp') found[stats.kind] = stats
      }
    }
    return found
  }

  #play({ track, receiver }: RemoteTrack): void {
    this.#receivers.push(receiver)
    const element = document.createElement(track.kind as 'video' | 'audio')
    element.autoplay = true
    element.srcObject = new MediaStream([track])
    document.body.append(element)
    if (element instanceof HTMLVideoElement) this.#gaps.watch(element)
  }
}

function frameCryptor(ownLeaf: number, treatment: Exclude<Treatment, 'clear'>): FrameCryptor {
  const cryptor = createWorkerFrameCryptor({
    clock: systemClock,
    onFailure: (error) => {
      throw error
    },
    isListing: treatment === 'listed' || treatment === 'impersonated',
    listSignatures: listSignatures(treatment === 'impersonated' ? OTHER_LEAF : ownLeaf),
    ...(treatment === 'blind' ? { createWorker: blindWorker } : {}),
  })
  cryptor.installEpoch({
    epoch: 1n,
    baseKey: new Uint8Array(16).fill(7),
    ownLeaf,
    leaves: LEAVES,
    removedLeaves: [],
    incarnation: 0,
  })
  return cryptor
}

function blindWorker(): Worker {
  return new Worker(new URL('./blindWorker.ts', import.meta.url), { type: 'module' })
}
