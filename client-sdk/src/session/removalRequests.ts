import {
  packRemovalWords,
  readRemovalEnvelope,
  removalRequestLabel,
  removalRequestTbs,
  verifyRemovalRequest,
} from '@conclave/core/delivery'
import type { CommitEffect, Group } from '@conclave/core/mls/group'
import type { PublicGroup } from '@conclave/core/mls/public'
import { type LeafIndex, SenderType } from '@conclave/core/wire'
import type { DeliveryLink } from './deliveryLink.ts'
import { namedDevice } from './roster.ts'
import { refusal, SessionError } from './sessionError.ts'

/** Which member has asked the keyserver for the removal of a leaf, proven by its signature. */
export type RemovalRequests = ReadonlyMap<number, LeafIndex>

/** What a commit does, with who has asked for what the keyserver proposed. */
export interface MeetingEffect extends CommitEffect {
  readonly requests?: RemovalRequests
}

/**
 * Has the keyserver propose to remove all leaves of a person.
 * @throws SessionError `participant-unknown`, `keyserver-refused`, `keyserver-unreachable`
 */
export async function requestRemoval(
  link: Pick<DeliveryLink, 'request'>,
  group: Group,
  identity: string,
): Promise<void> {
  const { groupId, leafIndex, members } = group
  const leaves = members.filter(({ leafNode }) => namedDevice(leafNode).identity === identity)
  if (leaves.length === 0) {
    throw new SessionError('participant-unknown', 'nobody here has this identity')
  }
  const words = await Promise.all(
    leaves.map(async ({ leafIndex: leaf, leafNode }) => {
      const content = removalRequestTbs(groupId, leafNode.signatureKey)
      return { leafIndex: leaf, signature: await group.sign(removalRequestLabel, content) }
    }),
  )
  const request = { groupId, identity, leafIndex, words: packRemovalWords(words) }
  const reply = await link.request('remove', request)
  if (!reply.ok) throw refusal(reply)
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
