import type { Clock } from '@conclave/core'
import type { EncodedFrame } from './encodedFrame.ts'

/** How long a frame waits for a key that may still come, in milliseconds. */
export const MAX_WAIT_MS = 2_000
/** Two seconds of video at 60 frames a second. */
export const MAX_WAITING_FRAMES = 120
export const MAX_WAITING_BYTES = 4 * 1024 * 1024

export type WaitDrop = 'wait-overflow' | 'wait-expired'

interface Waiting<Frame> {
  readonly frame: Frame
  readonly until: number
}

/**
 * Frames that came ahead of their key, oldest first. Bounded in time, number and bytes; the oldest
 * go first, because what follows needs them least.
 */
export class KeyWaitQueue<Frame extends EncodedFrame> {
  readonly #clock: Clock
  readonly #onDrop: (reason: WaitDrop) => void
  #waiting: Waiting<Frame>[] = []
  #bytes = 0
  #cancelTimer: (() => void) | undefined

  constructor(clock: Clock, onDrop: (reason: WaitDrop) => void) {
    this.#clock = clock
    this.#onDrop = onDrop
  }

  get length(): number {
    return this.#waiting.length
  }

  add(frame: Frame): void {
    this.#waiting.push({ frame, until: this.#clock.now() + MAX_WAIT_MS })
    this.#bytes += frame.data.byteLength
    while (this.#waiting.length > MAX_WAITING_FRAMES || this.#bytes > MAX_WAITING_BYTES) {
      this.#dropOldest('wait-overflow')
    }
    this.#watchOldest()
  }

  /** Empties the queue; what has waited too long already is dropped. */
  takeAll(): Waiting<Frame>[] {
    this.#dropExpired()
    const taken = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    this.#watchOldest()
    return taken
  }

  /** Gives back, ahead of what came since, what was taken and still lacks its key. */
  putBack(frames: readonly Waiting<Frame>[]): void {
    this.#waiting.unshift(...frames)
    for (const { frame } of frames) this.#bytes += frame.data.byteLength
    this.#watchOldest()
  }

  clear(): void {
    this.#waiting = []
    this.#bytes = 0
    this.#watchOldest()
  }

  #watchOldest(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const oldest = this.#waiting[0]
    if (oldest === undefined) return
    this.#cancelTimer = this.#clock.setTimer(oldest.until - this.#clock.now(), () => {
      this.#dropExpired()
      this.#watchOldest()
    })
  }

  #dropExpired(): void {
    const now = this.#clock.now()
    while (this.#waiting[0] !== undefined && this.#waiting[0].until <= now) {
      this.#dropOldest('wait-expired')
    }
  }

  #dropOldest(reason: WaitDrop): void {
    const oldest = this.#waiting.shift()
    if (oldest === undefined) return
    this.#bytes -= oldest.frame.data.byteLength
    this.#onDrop(reason)
  }
}
