import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { LogEntry } from '@conclave/core/delivery'
import type { PublicGroup } from '@conclave/core/mls/public'
import type { LeafIndex } from '@conclave/core/wire'
import type { WaitingEntry, WelcomePart } from '../store/store.ts'

/** What a commit has brought about, to be told by the instance that appended it. */
export interface FreshCommit {
  readonly entry: LogEntry
  readonly added: readonly LeafIndex[]
  readonly removed: readonly LeafIndex[]
  readonly welcomeParts: readonly WelcomePart[]
  /** Those who waited and whom the commit adds, as far as the store has said. */
  readonly admitted: readonly WaitingEntry[]
  /** The group before and after the commit. */
  readonly before: PublicGroup
  readonly after: PublicGroup
}

export interface UnansweredCommit {
  /** The epoch that it would end. */
  readonly epoch: number
  readonly message: Bytes
  fresh(seq: number): FreshCommit
}

/** How many are remembered: while the store cannot be reached, each member may try one. */
const remembered = 16

/**
 * Commits that the store was given and did not answer for. Whether one has been appended shows once
 * its epoch is over, and then it is told as it would have been.
 */
export class UnansweredCommits {
  readonly #commits = new Set<UnansweredCommit>()

  add(commit: UnansweredCommit): void {
    const { epoch, message } = commit
    // It may have been sent again.
    this.settle(epoch, message)
    this.#commits.add(commit)
    const [oldest] = this.#commits
    if (oldest !== undefined && this.#commits.size > remembered) this.#commits.delete(oldest)
  }

  /** Epochs that are over in which there is one. */
  epochsBefore(epoch: number): ReadonlySet<number> {
    const epochs = [...this.#commits].map((commit) => commit.epoch)
    return new Set(epochs.filter((past) => past < epoch))
  }

  /** The one that this message is, which is forgotten by that. */
  settle(epoch: number, message: Bytes): UnansweredCommit | undefined {
    for (const commit of this.#commits) {
      if (commit.epoch !== epoch || !equalBytes(commit.message, message)) continue
      this.#commits.delete(commit)
      return commit
    }
    return undefined
  }

  /** Another commit has ended the epoch. */
  forget(epoch: number): void {
    for (const commit of this.#commits) if (commit.epoch === epoch) this.#commits.delete(commit)
  }
}
