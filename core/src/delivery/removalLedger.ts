import { type Infer, struct, uint32, uint64, vector } from '../codec/tls.ts'

/** Which rule about removals (docs/protocol.md) a commit breaks. */
export type RemovalFault =
  /** The committer is itself about to be removed. */
  | 'committer-pending-removal'
  /** The commit leaves out a removal that its sender says it had seen. */
  | 'commit-omits-removal'
  /** The commit leaves out a removal that the epoch before had left out already. */
  | 'commit-lags'

export interface CommitClaims {
  readonly committer: number
  readonly removed: ReadonlySet<number>
  /** From the commit's CommitEnvelope. */
  readonly seenSeq: bigint
}

interface LoggedRemoval {
  readonly seq: number
  readonly leaf: number
}

/**
 * What is kept of a ledger.
 *
 * struct {
 *     struct { uint64 seq; uint32 leaf; } this_epoch<V>;
 *     uint32 overdue<V>;
 * } RemovalLedgerState;
 */
export const RemovalLedgerState = struct({
  thisEpoch: vector(struct({ seq: uint64, leaf: uint32 })),
  overdue: vector(uint32),
})
export type RemovalLedgerState = Infer<typeof RemovalLedgerState>

/**
 * The removals that a group's log asks for, kept alike by the keyserver and by every member so
 * that nobody can stall one: not a committer that ignores it, and not one that pretends again and
 * again to have missed it. Immutable; entries are given in the order of the log.
 */
export class RemovalLedger {
  static readonly empty = new RemovalLedger([], new Set())

  readonly #thisEpoch: readonly LoggedRemoval[]
  readonly #overdue: ReadonlySet<number>

  private constructor(thisEpoch: readonly LoggedRemoval[], overdue: ReadonlySet<number>) {
    this.#thisEpoch = thisEpoch
    this.#overdue = overdue
  }

  /** The ledger at the start of an epoch whose predecessor left these leaves in the group. */
  static startingWith(overdue: Iterable<number>): RemovalLedger {
    return new RemovalLedger([], new Set(overdue))
  }

  static restore({ thisEpoch, overdue }: RemovalLedgerState): RemovalLedger {
    const logged = thisEpoch.map(({ seq, leaf }) => ({ seq: Number(seq), leaf }))
    return new RemovalLedger(logged, new Set(overdue))
  }

  get state(): RemovalLedgerState {
    const thisEpoch = this.#thisEpoch.map(({ seq, leaf }) => ({ seq: BigInt(seq), leaf }))
    return { thisEpoch, overdue: [...this.#overdue] }
  }

  /** Leaves that the epoch before should have removed. */
  get overdue(): ReadonlySet<number> {
    return this.#overdue
  }

  /** Leaves that this epoch's log asks to remove. */
  get pending(): ReadonlySet<number> {
    return new Set(this.#thisEpoch.map(({ leaf }) => leaf))
  }

  /** Where this epoch's log first asks to remove the leaf. */
  seqOf(leaf: number): number | undefined {
    return this.#thisEpoch.find((removal) => removal.leaf === leaf)?.seq
  }

  /** After a valid Remove or SelfRemove of this epoch. */
  withRemoval(seq: number, leaf: number): RemovalLedger {
    return new RemovalLedger([...this.#thisEpoch, { seq, leaf }], this.#overdue)
  }

  /** After the commit that ends this epoch. */
  withCommit(removed: ReadonlySet<number>): RemovalLedger {
    const left = [...this.pending].filter((leaf) => !removed.has(leaf))
    return new RemovalLedger([], new Set(left))
  }

  /** Why a commit of this epoch must be refused, or undefined. */
  faultOf({ committer, removed, seenSeq }: CommitClaims): RemovalFault | undefined {
    if (this.pending.has(committer)) return 'committer-pending-removal'
    const left = this.#thisEpoch.filter(({ leaf }) => !removed.has(leaf))
    if (left.some(({ seq }) => BigInt(seq) <= seenSeq)) return 'commit-omits-removal'
    if (left.some(({ leaf }) => this.#overdue.has(leaf))) return 'commit-lags'
    return undefined
  }
}
