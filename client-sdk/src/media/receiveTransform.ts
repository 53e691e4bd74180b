import type { Clock } from '@conclave/core'
import type {
  AuthenticityStats,
  ExpectedSender,
  FrameKeySource,
  MediaSource,
} from '@conclave/core/sframe'
import { DropCounts } from './dropCounts.ts'
import type { EncodedFrame } from './encodedFrame.ts'
import { FrameOpener, type OpenRefusal } from './frameOpener.ts'
import type { FrameWitness } from './frameWitness.ts'
import { KeyWaitQueue, type WaitDrop } from './keyWaitQueue.ts'

/** At most one key frame is asked for in this time, in milliseconds. */
export const KEY_FRAME_REQUEST_INTERVAL_MS = 1_000

/** A leaf that nobody has. */
const noLeaf = -1

/** Why a received frame was dropped. */
export type OpenDrop = Exclude<OpenRefusal, 'key-not-yet'> | WaitDrop

/** What may be dropped without anything of the sender's being lost. */
const HARMLESS: ReadonlySet<OpenDrop> = new Set(['empty-frame', 'replayed'])

/** Counters of one receiver since its transform was attached. */
export interface ReceiverStats {
  readonly leaf: number
  readonly source: MediaSource
  /** The epoch of the last frame that opened. */
  readonly epoch: bigint | undefined
  readonly opened: number
  /** Frames that wait for a key now. */
  readonly waiting: number
  /** Whether video has opened that cannot be decoded before a key frame, which is being asked for. */
  readonly needsKeyFrame: boolean
  readonly dropped: Partial<Record<OpenDrop, number>>
  /** Whether the frames that opened were made by whom they name. */
  readonly authenticity: AuthenticityStats
}

/**
 * What happens to every frame that one receiver gets: it is opened and delivered, waits for its
 * key, or is dropped and counted. Nothing passes unopened.
 */
export class ReceiveTransform<Frame extends EncodedFrame> {
  readonly #clock: Clock
  readonly #deliver: (frame: Frame) => void
  readonly #requestKeyFrame: () => void
  readonly #onAuthentic: () => void
  readonly #opener: FrameOpener
  readonly #witness: FrameWitness
  readonly #waiting: KeyWaitQueue<Frame>
  readonly #dropped = new DropCounts<OpenDrop>()
  #opened = 0
  /** Another one for each member who is expected. */
  #turn = {}
  #authenticSaid = false
  /** Whether a frame has been lost, or none been there, since the last key frame. */
  #lacksKeyFrame = true
  #needsKeyFrame = false
  #lastKeyFrameRequest = Number.NEGATIVE_INFINITY
  /** Frames are opened one after the other, so that they stay in order. */
  #last: Promise<void> = Promise.resolve()

  constructor(options: {
    readonly keys: FrameKeySource
    readonly clock: Clock
    readonly expected: ExpectedSender
    readonly witness: FrameWitness
    readonly deliver: (frame: Frame) => void
    readonly requestKeyFrame: () => void
    /** Called once per expected sender, with the first frame that opens. */
    readonly onAuthentic: () => void
  }) {
    this.#clock = options.clock
    this.#deliver = options.deliver
    this.#requestKeyFrame = options.requestKeyFrame
    this.#onAuthentic = options.onAuthentic
    this.#witness = options.witness
    this.#opener = new FrameOpener(options.keys, options.expected, options.witness)
    this.#waiting = new KeyWaitQueue<Frame>(this.#clock, (reason) => this.#drop(reason))
  }

  push(frame: Frame): Promise<void> {
    return this.#inOrder(async () => {
      if (!(await this.#open(frame))) this.#waiting.add(frame)
    })
  }

  /** Tries again what waits for a key. */
  keysChanged(): Promise<void> {
    return this.#inOrder(async () => {
      const stillWaiting = []
      for (const waiting of this.#waiting.takeAll()) {
        if (!(await this.#open(waiting.frame))) stillWaiting.push(waiting)
      }
      this.#waiting.putBack(stillWaiting)
    })
  }

  /** From now on the track carries this member's frames. */
  expect(sender: ExpectedSender): void {
    this.#opener.expected = sender
    this.#witness.reset()
    this.#turn = {}
    this.#authenticSaid = false
    this.#lacksKeyFrame = true
    this.#needsKeyFrame = false
  }

  /**
   * The same member has another leaf, in a group that continues the one before; whoever has none is
   * heard no more.
   */
  moved(leaves: ReadonlyMap<number, number>): void {
    const { leaf, source } = this.#opener.expected
    this.#opener.expected = { source, leaf: leaves.get(leaf) ?? noLeaf }
    this.#witness.reset()
  }

  close(): void {
    this.#waiting.clear()
  }

  stats(): ReceiverStats {
    return {
      ...this.#opener.expected,
      epoch: this.#opener.lastEpoch,
      opened: this.#opened,
      waiting: this.#waiting.length,
      needsKeyFrame: this.#needsKeyFrame,
      dropped: this.#dropped.snapshot(),
      authenticity: this.#witness.stats(),
    }
  }

  #inOrder(task: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(task)
    return this.#last
  }

  /** False where the frame's key may still come; whatever else befalls the frame is done here. */
  async #open(frame: Frame): Promise<boolean> {
    const turn = this.#turn
    const { mimeType } = frame.getMetadata()
    const result = await this.#opener.open(mimeType, new Uint8Array(frame.data))
    if (turn !== this.#turn) {
      this.#drop('wrong-sender')
    } else if (result.ok) {
      frame.data = result.frame.buffer
      this.#accept(frame)
      await this.#witness.settled
    } else if (result.reason === 'key-not-yet') {
      return false
    } else {
      this.#drop(result.reason)
    }
    return true
  }

  #accept(frame: Frame): void {
    this.#opened++
    this.#deliver(frame)
    if (frame.type === 'key') {
      this.#lacksKeyFrame = false
      this.#needsKeyFrame = false
    } else if (frame.type === 'delta' && this.#lacksKeyFrame) {
      this.#needsKeyFrame = true
      this.#askForKeyFrame()
    }
    if (this.#authenticSaid) return
    this.#authenticSaid = true
    this.#onAuthentic()
  }

  /** What follows a frame that was lost cannot be decoded, or not in full, before a key frame. */
  #askForKeyFrame(): void {
    const now = this.#clock.now()
    if (now - this.#lastKeyFrameRequest < KEY_FRAME_REQUEST_INTERVAL_MS) return
    this.#lastKeyFrameRequest = now
    this.#requestKeyFrame()
  }

  #drop(reason: OpenDrop): void {
    this.#dropped.add(reason)
    if (!HARMLESS.has(reason)) this.#lacksKeyFrame = true
  }
}
