import { type Bytes, CodecError } from '@conclave/core/codec'
import {
  encodeRemovalEnvelope,
  type PackedReplyTo,
  type RemovalRequester,
  type RequestOf,
  unpackRemovalWords,
  verifyRemovalRequest,
} from '@conclave/core/delivery'
import type { PublicGroup } from '@conclave/core/mls/public'
import type { LeafIndex, LeafNode } from '@conclave/core/wire'
import type { Store } from '../store/store.ts'
import type { Attendance } from './attendance.ts'
import type { Participant } from './audience.ts'
import type { GroupLog } from './groupLog.ts'
import { describeMember } from './members.ts'
import { refuse } from './orderingError.ts'

/**
 * Proposes to remove every leaf of a person, at the word of a member whose token allows it. What
 * that member has signed goes with the proposals, so that all can see who asked; a leaf that it did
 * not know of goes, too.
 *
 * @param learn takes in what other instances have appended
 */
export async function removePerson(
  { log, attendance }: { readonly log: GroupLog; readonly attendance: Attendance },
  participant: Participant,
  { identity, leafIndex, words }: RequestOf<'remove'>,
  store: Store,
  learn: () => Promise<unknown>,
): Promise<PackedReplyTo<'remove'>> {
  let signatures: ReadonlyMap<number, Bytes>
  try {
    const signed = unpackRemovalWords(words)
    signatures = new Map(signed.map((word) => [word.leafIndex, word.signature]))
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return refuse('message-invalid', error.message, { detail: error.code })
  }
  await learn()
  if (attendance.leafOf(participant) !== leafIndex) {
    return refuse('presence-invalid', 'the connection does not speak for this leaf')
  }
  const group = log.followed.publicGroup
  const leaves: LeafIndex[] = []
  for (const { leafIndex: leaf, leafNode } of group.tree.members()) {
    if (describeMember(leaf, leafNode).identity !== identity) continue
    leaves.push(leaf)
    const signature = signatures.get(leaf)
    const word = signature && { leafIndex, signature }
    const requester = word && ((await isSigned(group, word, leafNode)) ? word : undefined)
    const envelope = encodeRemovalEnvelope({ reason: 'removed', requester })
    await store.markLeaving(log.key, leaf, envelope)
  }
  if (leaves.length > 0) await attendance.removeDue()
  return { ok: true, leaves }
}

async function isSigned(
  { crypto, groupContext, tree }: PublicGroup,
  { leafIndex, signature }: RemovalRequester,
  { signatureKey }: LeafNode,
): Promise<boolean> {
  const requester = tree.leafNode(leafIndex as LeafIndex)
  if (requester === undefined) return false
  const claim = { groupId: groupContext.groupId, signatureKey }
  return await verifyRemovalRequest(crypto, requester.signatureKey, claim, signature)
}
