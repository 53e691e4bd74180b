import type { Bytes } from '../../codec/bytes.ts'
import { MlsError } from '../mlsError.ts'
import type { CommitEffect } from '../public/publicCommit.ts'
import { type Epoch, retireEpoch, wipeEpoch } from './epoch.ts'
import type { MadeCommit } from './makeCommit.ts'

interface PendingState extends MadeCommit {
  /** Undefined for the commit by which a newcomer enters. */
  readonly previous: Epoch | undefined
  /** Whether `previous` exists for this commit alone: it founds a group that continues another. */
  readonly founds?: boolean
}

/**
 * A commit of our own that the log has not decided yet. It is a value beside the group: confirmed
 * when the log confirms it, discarded when another commit won.
 */
export class PendingCommit {
  readonly #state: PendingState
  #settled = false

  constructor(state: PendingState) {
    this.#state = state
  }

  /** MLSMessage with the commit. */
  get message(): Bytes {
    return this.#state.message
  }
  /** MLSMessage with the new epoch's GroupInfo. */
  get groupInfo(): Bytes {
    return this.#state.groupInfo
  }
  /** MLSMessage with a Welcome, if the commit adds someone. */
  get welcome(): Bytes | undefined {
    return this.#state.welcome
  }
  get effect(): CommitEffect {
    return this.#state.effect
  }
  /** @internal The epoch in which it was made. */
  get previous(): Epoch | undefined {
    return this.#state.previous
  }

  /** Whether it brings its maker into a group, rather than from one epoch of it to the next. */
  get enters(): boolean {
    return this.#state.previous === undefined || this.#state.founds === true
  }

  /**
   * The epoch that this commit begins; the previous one ends.
   * @param ended the epoch that it ends, with what has come since the commit was made
   * @internal `Group.confirm` and `Group.enter` make a group of it.
   * @throws MlsError `pending-commit-settled`
   */
  settle(ended = this.#state.previous): Epoch {
    this.#settleOnce()
    const { next } = this.#state
    if (ended !== undefined) retireEpoch(ended, next)
    return next
  }

  /**
   * Wipes what would have become the next epoch.
   * @throws MlsError `pending-commit-settled`
   */
  discard(): void {
    this.#settleOnce()
    const { previous, next, founds } = this.#state
    wipeEpoch(next, previous)
    if (previous !== undefined && founds === true) wipeEpoch(previous)
  }

  #settleOnce(): void {
    if (this.#settled) {
      throw new MlsError('pending-commit-settled', 'this commit was confirmed or discarded before')
    }
    this.#settled = true
  }
}
