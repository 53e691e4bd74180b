import { ProposalType, SenderType } from '../../wire/registry.ts'
import type { SourcedProposal } from './proposalList.ts'

/** What has been proposed in an epoch, in the order of its coming. It only grows. */
interface Arrivals {
  readonly byRef: Map<string, { readonly at: number; readonly sourced: SourcedProposal }>
  /** When the proposals of each share came. */
  readonly byShare: Map<string, number[]>
}

/**
 * The proposals of an epoch by the hexadecimal form of their ProposalRef. Immutable: one more gives
 * another value, which shares with this one what both have, so that many take time in proportion
 * to their number. A value sees what came before it was made.
 */
export class EpochProposals implements ReadonlyMap<string, SourcedProposal> {
  readonly #arrivals: Arrivals
  readonly size: number

  private constructor(arrivals: Arrivals, size: number) {
    this.#arrivals = arrivals
    this.size = size
  }

  static of(proposals: Iterable<readonly [ref: string, SourcedProposal]> = []): EpochProposals {
    const arrivals: Arrivals = { byRef: new Map(), byShare: new Map() }
    for (const [ref, sourced] of proposals) arrive(arrivals, ref, sourced)
    return new EpochProposals(arrivals, arrivals.byRef.size)
  }

  /** With one more. Only where another has been added to this value is anything copied. */
  with(ref: string, sourced: SourcedProposal): EpochProposals {
    const isNewest = this.#arrivals.byRef.size === this.size
    const arrivals = isNewest ? this.#arrivals : EpochProposals.of(this).#arrivals
    arrive(arrivals, ref, sourced)
    return new EpochProposals(arrivals, arrivals.byRef.size)
  }

  /** How many there are that use up the same share of what is remembered as `sourced`. */
  inShareOf(sourced: SourcedProposal): number {
    const times = this.#arrivals.byShare.get(shareOf(sourced)) ?? []
    return times.findLastIndex((at) => at < this.size) + 1
  }

  get(ref: string): SourcedProposal | undefined {
    const found = this.#arrivals.byRef.get(ref)
    return found !== undefined && found.at < this.size ? found.sourced : undefined
  }

  has(ref: string): boolean {
    return this.get(ref) !== undefined
  }

  *entries(): Generator<[string, SourcedProposal], undefined> {
    for (const [ref, { at, sourced }] of this.#arrivals.byRef) {
      if (at >= this.size) return
      yield [ref, sourced]
    }
  }

  *keys(): Generator<string, undefined> {
    for (const [ref] of this) yield ref
  }

  *values(): Generator<SourcedProposal, undefined> {
    for (const [, sourced] of this) yield sourced
  }

  forEach(
    use: (sourced: SourcedProposal, ref: string, all: ReadonlyMap<string, SourcedProposal>) => void,
  ): void {
    for (const [ref, sourced] of this) use(sourced, ref, this)
  }

  [Symbol.iterator](): Generator<[string, SourcedProposal], undefined> {
    return this.entries()
  }
}

function arrive({ byRef, byShare }: Arrivals, ref: string, sourced: SourcedProposal): void {
  if (byRef.has(ref)) return
  const at = byRef.size
  byRef.set(ref, { at, sourced })
  const share = shareOf(sourced)
  const times = byShare.get(share)
  if (times === undefined) byShare.set(share, [at])
  else times.push(at)
}

/** Names the share of the remembered proposals that a proposal uses. */
function shareOf({ proposal, sender }: SourcedProposal): string {
  if (sender.senderType === SenderType.member) {
    const leaves = proposal.proposalType === ProposalType.selfRemove
    return `member ${sender.leafIndex}${leaves ? ' leaving' : ''}`
  }
  if (sender.senderType === SenderType.external) return `external ${sender.senderIndex}`
  return 'new member'
}
