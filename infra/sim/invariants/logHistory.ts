import { type Bytes, toHex } from '@conclave/core/codec'
import type { Store } from '@conclave/keyserver'
import type {
  CommitAppend,
  GroupKey,
  PresenceView,
  VoidAppend,
} from '../../../keyserver/src/store/store.ts'

export interface LoggedCommit {
  readonly seq: number
  /** The epoch that it ends. */
  readonly epoch: number
  readonly message: Bytes
  readonly committer: number
}

export interface LoggedVoid {
  readonly groupId: string
  readonly commit: LoggedCommit
  /** Who was there when it was decided, by leaf. */
  readonly present: readonly number[]
}

interface GroupHistory {
  readonly commits: LoggedCommit[]
  present: readonly number[]
  /** Epochs that may begin once more, for good reason, as often as they stand here. */
  readonly undone: EpochRange[]
}

interface EpochRange {
  readonly first: number
  readonly last: number
}

/** What the store has been told of each group's log, and what it has lost of it. */
export class LogHistory {
  readonly #groups = new Map<string, GroupHistory>()
  readonly #undone: (undone: LoggedVoid) => void

  /** `undone` is told of every commit that a void undoes. */
  constructor(undone: (undone: LoggedVoid) => void) {
    this.#undone = undone
  }

  /** As a StepListener of the store. */
  stepTaken(name: keyof Store, args: readonly unknown[], result: unknown): void {
    const [key, step] = args as readonly [GroupKey, unknown]
    switch (name) {
      case 'appendCommit':
        if (hasOutcome(result, 'appended')) this.#committed(key, step as CommitAppend, result.seq)
        return
      case 'appendVoid':
        if (hasOutcome(result, 'appended')) this.#voided(key, step as VoidAppend)
        return
      case 'readPresence':
        if (result !== undefined) this.#of(key).present = (result as PresenceView).present
    }
  }

  /**
   * The newest of what was appended is lost, so that this epoch is the log's last again: those that
   * had begun after it may begin once more, and no others.
   */
  lost(key: Pick<GroupKey, 'groupId'>, epoch: number): void {
    const { commits, undone } = this.#of(key)
    const last = commits.reduce((newest, commit) => Math.max(newest, commit.epoch + 1), 0)
    undone.push({ first: epoch + 1, last })
  }

  /** How many commits may have begun the epoch. */
  mostBeginnings(groupId: Bytes, epoch: bigint): number {
    const { undone } = this.#of({ groupId })
    return 1 + undone.filter(({ first, last }) => epoch >= first && epoch <= last).length
  }

  /** Whether the log's history is one line. */
  isStraight(groupId: Bytes): boolean {
    return this.#of({ groupId }).undone.length === 0
  }

  /** The newest commit that has ended an epoch. */
  commitOf(groupId: Bytes, epoch: bigint): LoggedCommit | undefined {
    return this.#of({ groupId }).commits.findLast((commit) => BigInt(commit.epoch) === epoch)
  }

  #committed(key: GroupKey, { epoch, message, committer }: CommitAppend, seq: number): void {
    this.#of(key).commits.push({ seq, epoch, message, committer })
  }

  #voided(key: GroupKey, { voided }: VoidAppend): void {
    const history = this.#of(key)
    const commit = history.commits.findLast(({ seq }) => seq === voided)
    if (commit === undefined) return
    history.undone.push({ first: commit.epoch + 1, last: commit.epoch + 1 })
    this.#undone({ groupId: toHex(key.groupId), commit, present: history.present })
  }

  #of({ groupId }: Pick<GroupKey, 'groupId'>): GroupHistory {
    const name = toHex(groupId)
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    const fresh = { commits: [], present: [], undone: [] }
    this.#groups.set(name, fresh)
    return fresh
  }
}

function hasOutcome(
  result: unknown,
  outcome: string,
): result is { readonly outcome: string; readonly seq: number } {
  return (result as { readonly outcome?: string } | undefined)?.outcome === outcome
}
