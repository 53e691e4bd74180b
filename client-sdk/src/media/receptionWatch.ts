import type { Clock } from '@conclave/core'
import type { MediaSource, MediaVerdict } from '@conclave/core/sframe'
import { decodedSoFar } from './decodedSoFar.ts'
import type { FrameCryptor, ReceivedStats } from './frameCryptor.ts'
import { newReception, nextReception, type Reception } from './reception.ts'
import { type Notice, type Notices, nextNotices, nothingTold } from './receptionNotices.ts'
import { type ReceptionCounts, sampleBetween } from './receptionSample.ts'

/** How often receivers are looked at, in milliseconds. */
export const SAMPLE_INTERVAL_MS = 500

/** Whose track something is told of. */
export interface WatchedTrack {
  readonly leaf: number
  readonly source: MediaSource
  /** The epoch of the last frame that opened. */
  readonly epoch: bigint | undefined
}

export interface ReceptionWatchOptions {
  readonly clock: Clock
  readonly cryptor: Pick<FrameCryptor, 'stats'>
  readonly onNotice: (track: WatchedTrack, notice: Notice) => void
  /** Told with every change; a track begins as `unsigned`, and is that again when it has ended. */
  readonly onVerdict: (track: WatchedTrack, verdict: MediaVerdict) => void
}

interface Watched {
  readonly leaf: number
  readonly source: MediaSource
  readonly reception: Reception
  readonly notices: Notices
  readonly verdict: MediaVerdict
  readonly counts: ReceptionCounts
}

/**
 * Looks twice a second at what becomes of the frames of every receiver, for as long as there is
 * one. It knows a track by its receiver, so that it follows senders whose leaf becomes another.
 */
export class ReceptionWatch {
  readonly #options: ReceptionWatchOptions
  readonly #paused = new WeakSet<RTCRtpReceiver>()
  #watched = new Map<RTCRtpReceiver, Watched>()
  #last: readonly ReceivedStats[] = []
  #running = false
  /** Whether there may be a receiver that the look under way has missed. */
  #isAwaited = false
  #ended = false
  #cancelTimer = () => {}

  constructor(options: ReceptionWatchOptions) {
    this.#options = options
  }

  /** To be called when there is a new receiver. */
  start(): void {
    this.#isAwaited = true
    if (this.#running || this.#ended) return
    this.#running = true
    void this.#run()
  }

  /** Whether the sender has paused what this receiver gets. */
  setPaused(receiver: RTCRtpReceiver, paused: boolean): void {
    if (paused) this.#paused.add(receiver)
    else this.#paused.delete(receiver)
  }

  receptionOf(receiver: RTCRtpReceiver): Reception | undefined {
    return this.#watched.get(receiver)?.reception
  }

  close(): void {
    this.#ended = true
    this.#cancelTimer()
    this.#watched.clear()
  }

  async #run(): Promise<void> {
    const { clock, cryptor } = this.#options
    this.#isAwaited = false
    // Of a worker that does not answer nothing comes any more: what it said last stays as it is.
    const stats = await cryptor.stats().catch(() => undefined)
    const receivers = newestOfEach(stats?.receivers ?? this.#last)
    const decoded = await Promise.all(receivers.map(({ receiver }) => decodedSoFar(receiver)))
    if (this.#ended) return
    this.#last = receivers
    const before = this.#watched
    const told = new Map(Array.from(before.values(), (watched) => [trackOf(watched), watched]))
    this.#watched = new Map()
    for (const [i, each] of receivers.entries()) {
      const watched = before.get(each.receiver)
      // What was told of a track stands also where another receiver gets it now.
      const heard = watched ?? told.get(trackOf(each)) ?? newTrack
      this.#watched.set(each.receiver, this.#look(watched, heard, each, decoded[i]))
    }
    this.#tellEnded(told)
    if (receivers.length === 0 && !this.#isAwaited) {
      this.#running = false
      return
    }
    this.#cancelTimer = clock.setTimer(SAMPLE_INTERVAL_MS, () => void this.#run())
  }

  #look(
    before: Watched | undefined,
    told: Pick<Watched, 'notices' | 'verdict'>,
    stats: ReceivedStats,
    decoded: number | undefined,
  ): Watched {
    const { clock, onNotice, onVerdict } = this.#options
    const { receiver, leaf, source, epoch } = stats
    const now = clock.now()
    const counts = { stats, decoded, paused: this.#paused.has(receiver) }
    const sample = sampleBetween(before?.counts, counts)
    const reception = nextReception(before?.reception ?? newReception(now), sample, now)
    const { notices, notice } = nextNotices(told.notices, reception.state, now)
    if (notice !== undefined) onNotice({ leaf, source, epoch }, notice)
    const { verdict } = stats.authenticity
    if (verdict !== told.verdict) onVerdict({ leaf, source, epoch }, verdict)
    return { leaf, source, reception, notices, verdict, counts }
  }

  /** What was known of a sender is not known of whoever sends a later track. */
  #tellEnded(told: ReadonlyMap<string, Watched>): void {
    const going = new Set(Array.from(this.#watched.values(), trackOf))
    for (const [track, { leaf, source, verdict }] of told) {
      if (going.has(track) || verdict === 'unsigned') continue
      this.#options.onVerdict({ leaf, source, epoch: undefined }, 'unsigned')
    }
  }
}

const newTrack = { notices: nothingTold, verdict: 'unsigned' } as const

/** Of two receivers of one leaf and source the newer counts: the other's track is about to end. */
export function newestOfEach(receivers: readonly ReceivedStats[]): readonly ReceivedStats[] {
  return [...new Map(receivers.map((each) => [trackOf(each), each])).values()]
}

function trackOf({ leaf, source }: Pick<ReceivedStats, 'leaf' | 'source'>): string {
  return `${leaf} ${source}`
}
