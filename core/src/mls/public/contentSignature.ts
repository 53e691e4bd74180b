import { type Bytes, equalBytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { verifyWithLabel } from '../../crypto/public/verifyWithLabel.ts'
import {
  type AuthenticatedContent,
  type FramedContent,
  FramedContentTbs,
} from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import { ContentType, ProposalType, ProtocolVersion, SenderType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import { externalSenders } from './groupExtensions.ts'

export const framedContentLabel = 'FramedContentTBS'

/** RFC 9420 §6.1: what the sender of `content` signs. */
export function framedContentTbs(
  wireFormat: number,
  content: FramedContent,
  context: GroupContext,
): FramedContentTbs {
  return { version: ProtocolVersion.mls10, wireFormat, content, context }
}

/**
 * RFC 9420 §6.1: the content is this group's and epoch's, its kind of sender may send it, and the
 * sender's key signed it.
 * @throws MlsError `message-…`
 */
export async function verifyContentSignature(
  crypto: PublicSuite,
  { wireFormat, content, auth }: Pick<AuthenticatedContent, 'wireFormat' | 'content' | 'auth'>,
  context: GroupContext,
  tree: PublicTree,
): Promise<void> {
  const key = senderKey(content, context, tree)
  const signed = encode(FramedContentTbs, framedContentTbs(wireFormat, content, context))
  if (!(await verifyWithLabel(crypto, key, framedContentLabel, signed, auth.signature))) {
    throw new MlsError('message-signature-invalid', 'the signature of a message does not verify')
  }
}

/** @throws MlsError `message-sender-unknown`, `message-sender-not-allowed` */
function senderKey(content: FramedContent, context: GroupContext, tree: PublicTree): Bytes {
  const { sender } = content
  switch (sender.senderType) {
    case SenderType.member: {
      const leafNode = tree.leafNode(sender.leafIndex)
      if (leafNode === undefined) throw unknownSender()
      return leafNode.signatureKey
    }
    case SenderType.external: {
      if (content.contentType !== ContentType.proposal) throw notAllowed()
      const known = externalSenders(context.extensions)[sender.senderIndex]
      if (known === undefined) throw unknownSender()
      return known.signatureKey
    }
    case SenderType.newMemberProposal: {
      if (
        content.contentType !== ContentType.proposal ||
        content.proposal.proposalType !== ProposalType.add
      ) {
        throw notAllowed()
      }
      return content.proposal.keyPackage.leafNode.signatureKey
    }
    case SenderType.newMemberCommit: {
      if (content.contentType !== ContentType.commit || content.commit.path === undefined) {
        throw notAllowed()
      }
      return content.commit.path.leafNode.signatureKey
    }
  }
}

function unknownSender(): MlsError {
  return new MlsError('message-sender-unknown', 'the sender is not in the group')
}

function notAllowed(): MlsError {
  return new MlsError('message-sender-not-allowed', 'this kind of sender may not send this')
}

/** @throws MlsError `message-group-mismatch`, `message-epoch-past`, `message-epoch-future` */
export function checkGroupAndEpoch(
  { groupId, epoch }: Pick<FramedContent, 'groupId' | 'epoch'>,
  context: GroupContext,
): void {
  if (!equalBytes(groupId, context.groupId)) {
    throw new MlsError('message-group-mismatch', 'the message is for another group')
  }
  if (epoch < context.epoch) {
    throw new MlsError('message-epoch-past', `epoch ${epoch} is over`)
  }
  if (epoch > context.epoch) {
    throw new MlsError('message-epoch-future', `epoch ${epoch} has not begun`)
  }
}
