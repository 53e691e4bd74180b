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
  /** Epochs that began twice, for good reason: from this one on, or each of those. */
  lostFrom: number
  readonly voided: Set<number>
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

  /** The newest of what was appended is lost, so that this epoch is the log's last again. */
  lost(key: GroupKey, epoch: number): void {
    const history = this.#of(key)
    history.lostFrom = Math.min(history.lostFrom, epoch + 1)
  }

  /** Whether more than one commit may have begun the epoch. */
  mayBeTwofold(groupId: Bytes, epoch: bigint): boolean {
    const { lostFrom, voided } = this.#of({ groupId })
    return Number(epoch) >= lostFrom || voided.has(Number(epoch))
  }

  /** Whether the log's history is one line. */
  isStraight(groupId: Bytes): boolean {
    const { lostFrom, voided } = this.#of({ groupId })
    return lostFrom === Number.POSITIVE_INFINITY && voided.size === 0
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
    history.voided.add(commit.epoch + 1)
    this.#undone({ groupId: toHex(key.groupId), commit, present: history.present })
  }

  #of({ groupId }: Pick<GroupKey, 'groupId'>): GroupHistory {
    const name = toHex(groupId)
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    const fresh = {
      commits: [],
      present: [],
      lostFrom: Number.POSITIVE_INFINITY,
      voided: new Set<number>(),
    }
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
