import type { ReceiverDiagnostics, SecureMeeting } from '@conclave/client'
import type { FrameCryptor } from '@conclave/client/media'
import { FrameGaps } from '../../../../client-sdk/test/media/matrix/page/frameGaps.ts'
import type { Conversation } from '../../src/page/conversation.ts'

/** What one participant has received of another since the call began. */
export interface Received {
  readonly from: string
  readonly atMs: number
  readonly framesDecoded: number
  readonly framesReceived: number
  readonly samplesReceived: number
  readonly samplesConcealed: number
  readonly audioEnergy: number
  /** How often a key frame was asked for. */
  readonly keyFrameRequests: number
}

export interface RecordedKey {
  readonly epoch: string
  /** Hexadecimal. */
  readonly baseKey: string
}

export interface RecordedFrame {
  readonly source: string
  /** Base64. */
  readonly data: string
}

interface InboundStats {
  readonly trackIdentifier: string
  readonly framesDecoded?: number
  readonly framesReceived?: number
  readonly totalSamplesReceived?: number
  readonly concealedSamples?: number
  readonly totalAudioEnergy?: number
  readonly pliCount?: number
  readonly firCount?: number
}

/** What a test sees of a page from inside. */
export class Probe {
  conversation: Conversation | undefined
  cryptor: FrameCryptor | undefined
  /** Of what source it was told that it could not be shown, and why. */
  readonly degradations: string[] = []
  readonly keys: RecordedKey[] = []
  #frames: { readonly source: string; readonly data: ArrayBuffer }[] = []
  readonly #connections: RTCPeerConnection[] = []
  #meeting: SecureMeeting | undefined
  readonly #gaps = new Map<string, FrameGaps>()
  /** By the track's id, in milliseconds. */
  readonly #firstPictures = new Map<string, number>()

  constructor() {
    // The same name as in the worker, whose module is not for pages.
    new BroadcastChannel('plaintext-frames').onmessage = ({ data }) => {
      this.#frames.push(data)
    }
    const connected = (connection: RTCPeerConnection) => {
      this.#connections.push(connection)
      connection.addEventListener('track', ({ track }) => this.#awaitPicture(track))
    }
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(configuration?: RTCConfiguration) {
        super(configuration)
        connected(this)
      }
    }
  }

  watchMeeting(meeting: SecureMeeting): void {
    this.#meeting = meeting
    meeting.on('mediaDegraded', ({ source, state }) => {
      this.degradations.push(`${source} ${state}`)
    })
  }

  /** What becomes of all that is received. */
  async receptions(): Promise<readonly ReceiverDiagnostics[]> {
    return (await this.#meeting?.getDiagnostics())?.receivers ?? []
  }

  /** A fault: nothing is sent any more, and nobody told. */
  async fallSilent(): Promise<void> {
    for (const connection of this.#connections) {
      if (connection.connectionState === 'closed') continue
      for (const sender of connection.getSenders()) await sender.replaceTrack(null)
    }
  }

  takeKey(epoch: bigint, baseKey: Uint8Array): void {
    const hex = Array.from(baseKey, (byte) => byte.toString(16).padStart(2, '0')).join('')
    this.keys.push({ epoch: String(epoch), baseKey: hex })
  }

  /** The frames that were recorded since the last call. */
  takeFrames(): RecordedFrame[] {
    const frames = this.#frames
    this.#frames = []
    return frames.map(({ source, data }) => ({ source, data: toBase64(new Uint8Array(data)) }))
  }

  /** One entry for each other participant whose camera and microphone arrive. */
  async received(): Promise<Received[]> {
    const { conversation } = this
    if (conversation === undefined) return []
    const stats = await this.#inbound()
    const atMs = performance.now()
    const received: Received[] = []
    for (const { leaf, identity } of conversation.view.value.members) {
      const sources = conversation.remote.sources.value.get(leaf)
      const video = stats.get(sources?.camera?.track.id ?? '')
      const audio = stats.get(sources?.microphone?.track.id ?? '')
      if (video === undefined || audio === undefined) continue
      received.push({
        from: identity,
        atMs,
        framesDecoded: video.framesDecoded ?? 0,
        framesReceived: video.framesReceived ?? 0,
        samplesReceived: audio.totalSamplesReceived ?? 0,
        samplesConcealed: audio.concealedSamples ?? 0,
        audioEnergy: audio.totalAudioEnergy ?? 0,
        keyFrameRequests: (video.pliCount ?? 0) + (video.firCount ?? 0),
      })
    }
    return received
  }

  /** Looks from now on at how long each other camera's picture stands still. */
  watchPictures(): void {
    for (const { leaf, identity } of this.conversation?.view.value.members ?? []) {
      const track = this.conversation?.remote.sources.value.get(leaf)?.camera?.track
      if (track === undefined) continue
      const gaps = new FrameGaps()
      gaps.watch(shown(track))
      this.#gaps.set(identity, gaps)
    }
  }

  /** The longest time between two of a camera's pictures since this was asked last, in milliseconds. */
  takeLongestGaps(): Record<string, number> {
    return Object.fromEntries(
      Array.from(this.#gaps, ([identity, gaps]) => [identity, gaps.takeLongest()]),
    )
  }

  /** How long each other camera's track had been there when it showed its first picture. */
  firstPictures(): Record<string, number> {
    const times: Record<string, number> = {}
    for (const { leaf, identity } of this.conversation?.view.value.members ?? []) {
      const track = this.conversation?.remote.sources.value.get(leaf)?.camera?.track
      const time = this.#firstPictures.get(track?.id ?? '')
      if (time !== undefined) times[identity] = time
    }
    return times
  }

  /** How many frames have been dropped instead of decoded, by reason; empty ones are none. */
  async framesDropped(): Promise<Record<string, number>> {
    const dropped: Record<string, number> = {}
    for (const receiver of (await this.cryptor?.stats())?.receivers ?? []) {
      for (const [reason, count] of Object.entries(receiver.dropped)) {
        if (reason !== 'empty-frame') dropped[reason] = (dropped[reason] ?? 0) + count
      }
    }
    return dropped
  }

  #awaitPicture(track: MediaStreamTrack): void {
    if (track.kind !== 'video') return
    const sinceMs = performance.now()
    const video = shown(track)
    const look = () => {
      video.requestVideoFrameCallback((_now, { presentationTime }) => {
        // Until a frame has proved authentic the track is off, and its pictures are black.
        if (!track.enabled) {
          look()
          return
        }
        this.#firstPictures.set(track.id, presentationTime - sinceMs)
        video.srcObject = null
        video.remove()
      })
    }
    look()
  }

  async #inbound(): Promise<Map<string, InboundStats>> {
    const found = new Map<string, InboundStats>()
    for (const connection of this.#connections) {
      for (const stats of (await connection.getStats()).values()) {
        if (stats.type === 'inbound-rtp') found.set(stats.trackIdentifier, stats)
      }
    }
    return found
  }
}

function shown(track: MediaStreamTrack): HTMLVideoElement {
  const video = document.createElement('video')
  video.muted = true
  video.autoplay = true
  video.srcObject = new MediaStream([track])
  document.body.append(video)
  return video
}

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}
