import type { Clock } from '@conclave/core'
import type { Bytes } from '@conclave/core/codec'
import {
  type AuthenticityStats,
  type DigestedFrame,
  type ExpectedSender,
  FrameAudit,
  type FrameHash,
  frameDigest,
  type OpenedFrame,
  type VerifyList,
} from '@conclave/core/sframe'

/** A listed frame that opened, and the list that it carried, if any. */
export interface TrailedOpening extends DigestedFrame, Pick<OpenedFrame, 'epoch' | 'isFormer'> {
  readonly list: Bytes
}

export interface FrameWitnessOptions {
  readonly clock: Clock
  readonly hash: FrameHash
  readonly verify: VerifyList
}

/** Takes the digests of the frames that one receiver opens to where they are compared with lists. */
export class FrameWitness {
  readonly #hash: FrameHash
  readonly #audit: FrameAudit
  #turn = {}
  #last: Promise<void> = Promise.resolve()

  constructor({ clock, hash, verify }: FrameWitnessOptions) {
    this.#hash = hash
    this.#audit = new FrameAudit({ clock, verify })
  }

  /** Resolves once all frames that were told of are compared with the lists that are there. */
  get settled(): Promise<void> {
    return this.#last
  }

  /** The frame's bytes are read before this returns. */
  listed(frame: TrailedOpening, expected: ExpectedSender): void {
    const { epoch, kid, ctr, layer, isFormer, list } = frame
    const turn = this.#turn
    const digesting = frameDigest(this.#hash, frame)
    this.#last = Promise.all([digesting, this.#last]).then(([digest]) => {
      if (turn !== this.#turn) return
      this.#audit.opened({ epoch, kid, ctr, layer, isFormer, digest })
      // Of a group that is over nobody knows the keys that lists are signed with.
      if (list.length > 0 && !isFormer) void this.#audit.received(list, expected)
    })
  }

  unlisted(frame: Pick<OpenedFrame, 'epoch' | 'isFormer'>): void {
    this.#audit.openedUnlisted(frame)
  }

  /** Another sender is expected, or has another leaf. */
  reset(): void {
    this.#turn = {}
    this.#audit.reset()
  }

  stats(): AuthenticityStats {
    return this.#audit.stats()
  }
}
