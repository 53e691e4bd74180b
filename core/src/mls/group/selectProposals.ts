import { toHex } from '../../codec/bytes.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { ProposalType, SenderType } from '../../wire/registry.ts'
import type { SourcedProposal } from '../public/proposalList.ts'
import { pskIdentity } from '../public/proposalRules.ts'

/**
 * Which of an epoch's proposals a commit takes: those that RFC 9420 §12.2 prefers, as far as they
 * can be committed together. What cannot, because of another proposal or because nobody could
 * commit it at all, is left out: no proposal may hold up the others. Removals have precedence.
 * References are given in hexadecimal form, in their old order.
 *
 * `isValid` says whether a commit could take these; the fewer it cannot, the fewer times it is
 * asked.
 */
export function selectProposals(
  cached: ReadonlyMap<string, SourcedProposal>,
  committer: LeafIndex,
  isValid: (refs: readonly string[]) => boolean,
): readonly string[] {
  const chosen = compatible(cached, preferredProposals(cached, committer), isValid)
  return chosen.length > 0 ? chosen : loneReInit(cached, isValid)
}

/** As many of `preferred` as a commit could take together. */
function compatible(
  cached: ReadonlyMap<string, SourcedProposal>,
  preferred: readonly string[],
  isValid: (refs: readonly string[]) => boolean,
): readonly string[] {
  if (preferred.length === 0 || isValid(preferred)) return preferred
  const removes = (ref: string) => {
    const type = cached.get(ref)?.proposal.proposalType
    return type === ProposalType.remove || type === ProposalType.selfRemove
  }
  const chosen = new Set<string>()
  const take = (refs: readonly string[]): void => {
    if (refs.length === 0) return
    if (isValid([...chosen, ...refs])) {
      for (const ref of refs) chosen.add(ref)
    } else if (refs.length > 1) {
      take(refs.slice(0, refs.length >> 1))
      take(refs.slice(refs.length >> 1))
    }
  }
  take(preferred.filter(removes))
  take(preferred.filter((ref) => !removes(ref)))
  return preferred.filter((ref) => chosen.has(ref))
}

/** §12.2: a ReInit has a commit to itself, and waits as long as there is anything else to commit. */
function loneReInit(
  cached: ReadonlyMap<string, SourcedProposal>,
  isValid: (refs: readonly string[]) => boolean,
): readonly string[] {
  for (const [ref, { proposal }] of cached) {
    if (proposal.proposalType === ProposalType.reInit && isValid([ref])) return [ref]
  }
  return []
}

/**
 * §12.2: of several for one leaf a SelfRemove first, then a Remove, then the newest Update; of
 * several Adds of one client the first; none that concerns the committer.
 */
function preferredProposals(
  cached: ReadonlyMap<string, SourcedProposal>,
  committer: LeafIndex,
): readonly string[] {
  const forLeaf = new Map<LeafIndex, { ref: string; rank: number }>()
  const clients = new Set<string>()
  const psks = new Set<string>()
  let contextExtensions = false
  const chosen = new Set<string>()

  for (const [ref, { proposal, sender }] of cached) {
    switch (proposal.proposalType) {
      case ProposalType.update:
      case ProposalType.remove:
      case ProposalType.selfRemove: {
        const leaf =
          proposal.proposalType === ProposalType.remove
            ? proposal.removed
            : sender.senderType === SenderType.member
              ? sender.leafIndex
              : committer
        if (leaf === committer) break
        const rank = rankByType[proposal.proposalType]
        const rival = forLeaf.get(leaf)
        const newerUpdate = rank === 0 && rival?.rank === 0
        if (rival === undefined || rank > rival.rank || newerUpdate) {
          if (rival !== undefined) chosen.delete(rival.ref)
          forLeaf.set(leaf, { ref, rank })
          chosen.add(ref)
        }
        break
      }
      case ProposalType.add: {
        const client = toHex(proposal.keyPackage.leafNode.signatureKey)
        if (!clients.has(client)) chosen.add(ref)
        clients.add(client)
        break
      }
      case ProposalType.psk: {
        const { psk } = proposal
        const id = pskIdentity(psk)
        if (!psks.has(id)) chosen.add(ref)
        psks.add(id)
        break
      }
      case ProposalType.groupContextExtensions:
        if (!contextExtensions) chosen.add(ref)
        contextExtensions = true
        break
      case ProposalType.custom:
        chosen.add(ref)
        break
      default:
        // ReInit and ExternalInit never share a commit with others.
        break
    }
  }
  return [...cached.keys()].filter((ref) => chosen.has(ref))
}

const rankByType = {
  [ProposalType.update]: 0,
  [ProposalType.remove]: 1,
  [ProposalType.selfRemove]: 2,
} as const
