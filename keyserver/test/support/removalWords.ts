import { type Bytes, decode, utf8 } from '@conclave/core/codec'
import {
  type LogEntry,
  packRemovalWords,
  type RemovalEnvelope,
  readRemovalEnvelope,
  removalRequestLabel,
  removalRequestTbs,
} from '@conclave/core/delivery'
import {
  ContentType,
  type LeafIndex,
  MlsMessage,
  ProposalType,
  WireFormat,
} from '@conclave/core/wire'
import type { TestMember } from './testMember.ts'

/** Whom a Remove names, and what its sender says of it. */
export function removalIn({ message }: LogEntry): {
  readonly leaf: LeafIndex
  readonly envelope: RemovalEnvelope | undefined
} {
  const decoded = decode(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.publicMessage) throw new Error('no PublicMessage')
  const { content } = decoded.publicMessage
  if (
    content.contentType !== ContentType.proposal ||
    content.proposal.proposalType !== ProposalType.remove
  ) {
    throw new Error('no Remove')
  }
  const envelope = readRemovalEnvelope(content.authenticatedData)
  return { leaf: content.proposal.removed, envelope }
}

/** A member's signed word for each of these leaves. */
export async function wordsOf(
  { group, groupId }: TestMember,
  leaves: readonly number[],
): Promise<Bytes> {
  const words = leaves.map(async (leafIndex) => {
    const leafNode = group.public.tree.leafNode(leafIndex as LeafIndex)
    const content = removalRequestTbs(groupId, leafNode?.signatureKey ?? utf8('nobody'))
    return { leafIndex, signature: await group.sign(removalRequestLabel, content) }
  })
  return packRemovalWords(await Promise.all(words))
}
