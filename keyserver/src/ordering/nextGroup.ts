import type { PublicGroup } from '@conclave/core/mls/public'
import { ProposalType } from '@conclave/core/wire'

/** What a group is to be founded anew as (RFC 9420 §12.1.5). */
export type NextGroup = NonNullable<PublicGroup['reInit']>

/** What has been agreed upon, or else what the first ReInit of this epoch proposes. */
export function nextGroupOf({ reInit, proposals }: PublicGroup): NextGroup | undefined {
  if (reInit !== undefined) return reInit
  for (const { proposal } of proposals.values()) {
    if (proposal.proposalType === ProposalType.reInit) return proposal
  }
  return undefined
}
