import type { FrameKeySource, FrameLister, MediaSource } from '@conclave/core/sframe'
import { DropCounts } from './dropCounts.ts'
import type { EncodedFrame } from './encodedFrame.ts'
import { layerOf } from './frameLayer.ts'
import { FrameProtector, type ProtectDrop } from './frameProtector.ts'

/** Counters of one protected sender since its transform was attached. */
export interface SenderStats {
  readonly source: MediaSource
  /** The epoch of the last protected frame. */
  readonly epoch: bigint | undefined
  readonly protected: number
  readonly dropped: Partial<Record<ProtectDrop, number>>
  /** Lists of this source's digests that were never sent; only where such lists are made. */
  readonly listsDropped?: number
}

/** What happens to every frame of one sender: it leaves protected, or not at all. */
export class SendTransform<Frame extends EncodedFrame> {
  readonly #source: MediaSource
  readonly #protector: FrameProtector
  readonly #lister: FrameLister | undefined
  readonly #deliver: (frame: Frame) => void
  readonly #generateKeyFrame: () => void
  readonly #isSwitching: () => boolean
  readonly #dropped = new DropCounts<ProtectDrop>()
  #protected = 0
  #epoch: bigint | undefined
  #lacksKeyFrame: boolean
  /** Whether a key frame has left under keys that were about to be replaced. */
  #keyFrameWasEarly = false

  constructor(options: {
    readonly keys: FrameKeySource
    /** Whether sending is about to move to another epoch. */
    readonly isSwitching: () => boolean
    readonly source: MediaSource
    /** Whether frames were lost, so that video goes on with a key frame. */
    readonly lacksKeyFrame: boolean
    /** Lists the frames' digests, where their sender is to be authenticated. */
    readonly lister: FrameLister | undefined
    readonly deliver: (frame: Frame) => void
    readonly generateKeyFrame: () => void
  }) {
    this.#source = options.source
    this.#lister = options.lister
    this.#protector = new FrameProtector(options.keys, options.source, options.lister)
    this.#deliver = options.deliver
    this.#generateKeyFrame = options.generateKeyFrame
    this.#lacksKeyFrame = options.lacksKeyFrame
    this.#isSwitching = options.isSwitching
  }

  async push(frame: Frame): Promise<void> {
    if (frame.type === 'key' && this.#isSwitching()) this.#keyFrameWasEarly = true
    const { mimeType } = frame.getMetadata()
    const layer = this.#lister && layerOf(frame)
    const result = await this.#protector.protect(mimeType, new Uint8Array(frame.data), layer)
    if (!result.ok) {
      this.#dropped.add(result.reason)
      if (result.reason === 'no-key' && frame.type !== undefined) this.#lacksKeyFrame = true
      return
    }
    frame.data = result.frame.buffer
    this.#protected++
    this.#epoch = result.epoch
    this.#deliver(frame)
    if (frame.type === 'delta') this.#startAnew()
    await result.listed
  }

  /** Video that was dropped for want of a key starts anew as soon as there is one. */
  keysChanged(): void {
    this.#startAnew()
  }

  /**
   * Sending has moved to another epoch. A key frame that somebody was given shortly before is made
   * once more: who joined with that epoch could not open it.
   */
  switched(): void {
    if (!this.#keyFrameWasEarly) return
    this.#keyFrameWasEarly = false
    this.#generateKeyFrame()
  }

  #startAnew(): void {
    if (!this.#lacksKeyFrame) return
    this.#lacksKeyFrame = false
    this.#generateKeyFrame()
  }

  stats(): SenderStats {
    return {
      source: this.#source,
      epoch: this.#epoch,
      protected: this.#protected,
      dropped: this.#dropped.snapshot(),
      ...(this.#lister && { listsDropped: this.#lister.dropped }),
    }
  }
}
