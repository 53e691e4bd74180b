import { packRemovalWords, removalRequestLabel, removalRequestTbs } from '@conclave/core/delivery'
import type { Group } from '@conclave/core/mls/group'
import type { DeliveryLink } from './deliveryLink.ts'
import { namedDevice } from './roster.ts'
import { refusal, SessionError } from './sessionError.ts'

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
