import { readRemovalEnvelope, verifyRemovalRequest } from '@conclave/core/delivery'
import type { CommitEffect } from '@conclave/core/mls/group'
import type { PublicGroup } from '@conclave/core/mls/public'
import { type LeafIndex, SenderType } from '@conclave/core/wire'

/** Which member has asked the keyserver for the removal of a leaf, proven by its signature. */
export type RemovalRequests = ReadonlyMap<number, LeafIndex>

/** What a commit does, with who has asked for what the keyserver proposed. */
export interface MeetingEffect extends CommitEffect {
  readonly requests?: RemovalRequests
}

/**
 * An effect with the requests that members have signed.
 * @param before the group that the removals were proposed in
 */
export async function withRequests(
  effect: CommitEffect,
  before: PublicGroup,
): Promise<MeetingEffect> {
  const { crypto, groupContext, tree } = before
  const requests = new Map<number, LeafIndex>()
  for (const { leafIndex, sender, authenticatedData } of effect.proposals.removes) {
    if (sender.senderType !== SenderType.external || authenticatedData === undefined) continue
    const { requester } = readRemovalEnvelope(authenticatedData) ?? {}
    if (requester === undefined) continue
    const asking = requester.leafIndex as LeafIndex
    const key = tree.leafNode(asking)?.signatureKey
    const signatureKey = tree.leafNode(leafIndex)?.signatureKey
    if (key === undefined || signatureKey === undefined) continue
    const claim = { groupId: groupContext.groupId, signatureKey }
    if (await verifyRemovalRequest(crypto, key, claim, requester.signature)) {
      requests.set(leafIndex, asking)
    }
  }
  return requests.size === 0 ? effect : { ...effect, requests }
}
