import type { Bytes } from '../../codec/bytes.ts'
import { MlsError } from '../mlsError.ts'
import type { CommitEffect } from '../public/publicCommit.ts'
import { type Epoch, wipeEpoch } from './epoch.ts'

interface PendingState {
  readonly message: Bytes
  readonly groupInfo: Bytes
  readonly welcome: Bytes | undefined
  readonly effect: CommitEffect
  readonly previous: Epoch
  readonly next: Epoch
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
  get previous(): Epoch {
    return this.#state.previous
  }

  /**
   * The epoch that this commit begins; the previous one is wiped.
   * @throws MlsError `pending-commit-settled`
   */
  settle(): Epoch {
    this.#settleOnce()
    wipeEpoch(this.#state.previous, this.#state.next)
    return this.#state.next
  }

  /**
   * Wipes what would have become the next epoch.
   * @throws MlsError `pending-commit-settled`
   */
  discard(): void {
    this.#settleOnce()
    wipeEpoch(this.#state.next, this.#state.previous)
  }

  #settleOnce(): void {
    if (this.#settled) {
      throw new MlsError('pending-commit-settled', 'this commit was confirmed or discarded before')
    }
    this.#settled = true
  }
}
