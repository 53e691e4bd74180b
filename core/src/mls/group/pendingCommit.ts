import type { Bytes } from '../../codec/bytes.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import { MlsError } from '../mlsError.ts'
import type { CommitEffect } from '../public/publicCommit.ts'
import { type Epoch, retireEpoch, wipeEpoch } from './epoch.ts'
import type { MadeCommit } from './makeCommit.ts'
import { encodePending } from './pendingState.ts'
import { encodeEpoch } from './state.ts'

interface PendingState extends MadeCommit {
  /** Undefined for the commit by which a newcomer enters. */
  readonly previous: Epoch | undefined
  /** Whether `previous` exists for this commit alone: it founds a group that continues another. */
  readonly founds?: boolean
  /** Verifies the leaves of the group that a newcomer enters, where that was left for later. */
  readonly verifyLeaves?: (() => Promise<void>) | undefined
}

/**
 * A commit of our own that the log has not decided yet. It is a value beside the group: confirmed
 * when the log confirms it, discarded when another commit won.
 */
export class PendingCommit {
  readonly #state: PendingState
  #settled = false
  #verifying: Promise<void> | undefined
  #verified: boolean

  constructor(state: PendingState) {
    this.#state = state
    this.#verified = state.verifyLeaves === undefined
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
   * Verifies what `ExternalJoining.leafChecks` has left for later; to be called when the commit is on
   * its way, and awaited before the group is entered.
   * @throws MlsError `leaf-signature-invalid`, or what the policy throws: the group is not to be
   *   entered, and the commit to be discarded
   */
  verifyLeaves(): Promise<void> {
    this.#verifying ??= this.#verifyLeaves()
    return this.#verifying
  }

  async #verifyLeaves(): Promise<void> {
    await this.#state.verifyLeaves?.()
    this.#verified = true
  }

  /**
   * The commit with the private half of the epoch that it begins, for `Group.restorePending`:
   * versioned, and as secret as the group. To be stored before the commit is sent, beside the state
   * of the epoch in which it was made: after a crash the log may hold the commit, or lack it.
   * @throws MlsError `pending-commit-settled`, `pending-commit-mismatch` for one that enters a group,
   *   which there is no state to restore it to
   */
  encodeState(): Secret {
    this.#unsettled()
    const { previous } = this.#state
    if (previous === undefined || this.enters) {
      throw new MlsError('pending-commit-mismatch', 'there is no group yet to restore this commit')
    }
    return encodePending(this.#state, previous)
  }

  /**
   * The state of the group that this commit brings its maker into, for `Group.restore` once it is
   * known that the delivery service has it: to be stored before it is sent, and as secret as the group.
   * @throws MlsError `pending-commit-settled`, `pending-commit-mismatch` for a commit of a member,
   *   `leaves-unverified`
   */
  encodeEntered(): Secret {
    this.#unsettled()
    if (!this.enters) {
      throw new MlsError('pending-commit-mismatch', 'a commit of a member enters no group')
    }
    this.#checkVerified()
    return encodeEpoch(this.#state.next, {})
  }

  /**
   * The epoch that this commit begins; the previous one ends.
   * @param ended the epoch that it ends, with what has come since the commit was made
   * @internal `Group.confirm` and `Group.enter` make a group of it.
   * @throws MlsError `pending-commit-settled`, `leaves-unverified`
   */
  settle(ended = this.#state.previous): Epoch {
    this.#checkVerified()
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

  #checkVerified(): void {
    if (!this.#verified) {
      throw new MlsError('leaves-unverified', 'the leaves of the group have not been verified')
    }
  }

  #settleOnce(): void {
    this.#unsettled()
    this.#settled = true
  }

  #unsettled(): void {
    if (this.#settled) {
      throw new MlsError('pending-commit-settled', 'this commit was confirmed or discarded before')
    }
  }
}
