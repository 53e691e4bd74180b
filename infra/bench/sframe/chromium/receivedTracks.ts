import type { EncodedFrame } from '../../../../client-sdk/src/media/encodedFrame.ts'
import { FrameProtector } from '../../../../client-sdk/src/media/frameProtector.ts'
import {
  type FrameTransformer,
  FrameWorker,
} from '../../../../client-sdk/src/media/worker/frameWorker.ts'
import { concatBytes } from '../../../../core/src/codec/bytes.ts'
import {
  type EpochInstall,
  type FrameAead,
  FrameKeys,
  type MediaSource,
  webCryptoAead,
  webCryptoHash,
} from '../../../../core/src/sframe/index.ts'
import { expectDone } from '../../benchError.ts'
import { benchClock } from '../members.ts'
import { randomBytes, vp8Frame } from '../sampleFrames.ts'
import type { Pipeline } from '../trackCosts.ts'
import type { BenchRequest } from './messages.ts'

/** 720p at 30 frames a second and 1.2 Mbit/s, a key frame every ten seconds. */
const video = { perSecond: 30, deltaBytes: 5_000, keyBytes: 60_000, keyEvery: 300 }
/** Opus in packets of 20 ms, whose sizes vary with what is said. */
const audio = { perSecond: 50, leastBytes: 80, mostBytes: 160 }

/** How often the network is looked at, in milliseconds. */
const tickMs = 10

const receivingLeaf = 0

/** Passes everything in the shape that an AEAD gives it. */
const noCipher: FrameAead = {
  importKey: async ({ nt }) => ({
    seal: async (_nonce, _aad, plaintext, head) => concatBytes(head, plaintext, new Uint8Array(nt)),
    open: async (_nonce, _aad, sealed) => sealed.slice(0, -nt),
  }),
}

/** A frame that the network brings at some time of the run. */
interface Arrival {
  readonly atMs: number
  readonly frame: EncodedFrame
}

/** A track's queue, as a browser fills it, and the end that would be decoded. */
interface Track {
  readonly leaf: number
  readonly source: MediaSource
  readonly arrivals: readonly Arrival[]
  next: number
  /** Set when the queue is made, which is before anybody reads. */
  queue: ReadableStreamDefaultController<EncodedFrame> | undefined
}

/** What a meeting sends to one who receives all of it, at the pace at which it was sent. */
export class ReceivedTracks {
  readonly #tracks: readonly Track[]
  readonly #seconds: number
  #received = 0

  static async prepare({
    pipeline,
    tracks,
    seconds,
  }: Extract<BenchRequest, { type: 'prepare-tracks' }>): Promise<ReceivedTracks> {
    const aead = pipeline === 'no cipher' ? noCipher : webCryptoAead(crypto.subtle)
    const leaves = Array.from({ length: tracks + 1 }, (_, leaf) => leaf)
    const all: Track[] = []
    for (const leaf of leaves.slice(1)) {
      const keys = new FrameKeys({ aead, clock: benchClock })
      keys.installEpoch(installOf(leaf, leaves))
      for (const source of ['camera', 'microphone'] as const) {
        const arrivals = await arrivalsOf(keys, source, seconds, leaf / tracks)
        all.push({ leaf, source, arrivals, next: 0, queue: undefined })
      }
    }
    const received = new ReceivedTracks(all, seconds)
    received.#attach(pipeline, aead, leaves)
    return received
  }

  private constructor(tracks: readonly Track[], seconds: number) {
    this.#tracks = tracks
    this.#seconds = seconds
  }

  /**
   * @returns how many frames came
   * @throws BenchError `bench-work-not-done` where one does not come out
   */
  async receive(): Promise<number> {
    const frames = this.#tracks.reduce((sum, { arrivals }) => sum + arrivals.length, 0)
    const started = performance.now()
    const overdue = started + 1000 * (this.#seconds + 10)
    while (this.#received < frames) {
      const now = performance.now()
      expectDone(now < overdue, `${frames - this.#received} of ${frames} frames did not come out`)
      for (const track of this.#tracks) bring(track, now - started)
      await new Promise((resolve) => setTimeout(resolve, tickMs))
    }
    return frames
  }

  #attach(pipeline: Pipeline, aead: FrameAead, leaves: readonly number[]): void {
    const worker = new FrameWorker({
      clock: benchClock,
      aead,
      hash: webCryptoHash(crypto.subtle),
      post: () => {},
    })
    worker.handle({ type: 'start', suite: undefined, isListing: false })
    worker.handle({ type: 'install-epoch', keys: installOf(receivingLeaf, leaves) })
    for (const [id, track] of this.#tracks.entries()) {
      const { leaf, source } = track
      const readable = new ReadableStream<EncodedFrame>({
        start(queue) {
          track.queue = queue
        },
      })
      const writable = new WritableStream<EncodedFrame>({
        write: () => void this.#received++,
      })
      const sender = { leaf, source }
      const options = { id, direction: 'receive', sender, isRenewed: false } as const
      if (pipeline === 'streams alone') {
        void readable.pipeThrough(new TransformStream()).pipeTo(writable)
      } else {
        worker.attach({ readable, writable, options } satisfies FrameTransformer)
      }
    }
  }
}

/** Lets come what has been due for so many milliseconds. */
function bring(track: Track, elapsedMs: number): void {
  for (;;) {
    const arrival = track.arrivals[track.next]
    if (arrival === undefined || arrival.atMs > elapsedMs) return
    track.next++
    track.queue?.enqueue(arrival.frame)
  }
}

/** @param phase from 0 to 1: tracks do not all begin at once, nor with their key frames */
async function arrivalsOf(
  keys: FrameKeys,
  source: 'camera' | 'microphone',
  seconds: number,
  phase: number,
): Promise<Arrival[]> {
  const protector = new FrameProtector(keys, source)
  const isVideo = source === 'camera'
  const { perSecond } = isVideo ? video : audio
  const mimeType = isVideo ? 'video/VP8' : 'audio/opus'
  const metadata = { mimeType }
  const arrivals: Arrival[] = []
  for (let i = 0; i < perSecond * seconds; i++) {
    const isKey = (i + Math.floor(phase * video.keyEvery)) % video.keyEvery === 0
    const type = isKey ? 'key' : 'delta'
    const plain = isVideo
      ? vp8Frame(isKey ? video.keyBytes : video.deltaBytes, type)
      : randomBytes(audio.leastBytes + ((7 * i) % (audio.mostBytes - audio.leastBytes + 1)))
    const sealed = await protector.protect(mimeType, plain)
    if (!sealed.ok) throw new TypeError(sealed.reason)
    const data = sealed.frame.buffer
    const getMetadata = () => metadata
    const atMs = (1000 * (i + phase)) / perSecond
    arrivals.push({ atMs, frame: isVideo ? { data, type, getMetadata } : { data, getMetadata } })
  }
  return arrivals
}

function installOf(
  ownLeaf: number,
  leaves: readonly number[],
): EpochInstall & {
  readonly baseKey: Uint8Array<ArrayBuffer>
} {
  const baseKey = new Uint8Array(16).fill(5)
  return { epoch: 1000n, baseKey, ownLeaf, leaves, removedLeaves: [], incarnation: 1 }
}
