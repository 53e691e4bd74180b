import type { Bytes } from '../../codec/bytes.ts'
import { decode } from '../../codec/tls.ts'
import { type AuthenticatedContent, MlsMessage, type PrivateMessage } from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import type { LeafIndex, LeafNode } from '../../wire/ratchetTree.ts'
import { ContentType, SenderType, WireFormat } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { checkGroupAndEpoch, verifyContentSignature } from '../public/contentSignature.ts'
import type { MessageSecrets } from '../treedem/privateMessage.ts'
import { unprotectPrivate } from '../treedem/privateMessage.ts'
import { unprotectPublic } from '../treedem/publicMessage.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import type { Epoch } from './epoch.ts'
import { checkAuthenticatedData } from './framing.ts'

/** Application data with who sent it: its leaf as it was in the message's epoch. */
export interface ApplicationMessage {
  readonly epoch: bigint
  readonly sender: LeafIndex
  readonly leafNode: LeafNode
  /** Which of the sender's application messages of this epoch it is, from 0. */
  readonly generation: number
  readonly data: Bytes
  readonly authenticatedData: Bytes
}

export type HandshakeOrApplication = Extract<
  MlsMessage,
  { wireFormat: typeof WireFormat.publicMessage | typeof WireFormat.privateMessage }
>

/** @throws CodecError, or MlsError `message-wire-format-unexpected` */
export function decodeMessage(encoded: Bytes): HandshakeOrApplication {
  const message = decode(MlsMessage, encoded)
  if (
    message.wireFormat !== WireFormat.publicMessage &&
    message.wireFormat !== WireFormat.privateMessage
  ) {
    throw new MlsError('message-wire-format-unexpected', 'not a message to a group')
  }
  return message
}

/** What a message says of where it belongs; nothing of it is authenticated. */
export function headOf(message: HandshakeOrApplication) {
  const { groupId, epoch, contentType } =
    message.wireFormat === WireFormat.publicMessage
      ? message.publicMessage.content
      : message.privateMessage
  return { groupId, epoch, contentType }
}

/**
 * A message whose content is authentic once `verify` has passed. One of `accept` and `refuse` must
 * follow, so that a forgery does not use up the key of the real message.
 */
export interface OpenedMessage {
  readonly authenticated: AuthenticatedContent
  accept(): void
  refuse(): void
}

/**
 * RFC 9420 §6.2, §6.3 for a message of the current epoch, up to its signature.
 * @throws MlsError `message-…`, `commit-…`
 */
export async function openCurrent(
  { crypto, secrets, messages, public: group }: Epoch,
  message: HandshakeOrApplication,
): Promise<OpenedMessage> {
  const { groupContext, tree } = group
  if (message.wireFormat === WireFormat.privateMessage) {
    return unprotectPrivate(crypto, messages, message.privateMessage, tree)
  }
  const { publicMessage } = message
  checkGroupAndEpoch(publicMessage.content, groupContext)
  const authenticated = unprotectPublic(crypto, secrets.membershipKey, publicMessage, groupContext)
  return { authenticated, accept: () => {}, refuse: () => {} }
}

/**
 * Application data of an epoch whose secrets these are.
 * @throws MlsError `message-…`
 */
export async function openApplication(
  { crypto }: Pick<Epoch, 'crypto'>,
  messages: MessageSecrets,
  context: GroupContext,
  tree: PublicTree,
  message: PrivateMessage,
): Promise<ApplicationMessage> {
  const opened = await unprotectPrivate(crypto, messages, message, tree)
  try {
    await verifyContentSignature(crypto, opened.authenticated, context, tree)
    checkAuthenticatedData(context, opened.authenticated.content)
  } catch (error) {
    opened.refuse()
    throw error
  }
  opened.accept()
  const { content } = opened.authenticated
  const { sender } = content
  if (content.contentType !== ContentType.application || sender.senderType !== SenderType.member) {
    throw new MlsError('message-wire-format-unexpected', 'the message has no application data')
  }
  return {
    epoch: context.epoch,
    sender: sender.leafIndex,
    leafNode: tree.leafNode(sender.leafIndex) as LeafNode,
    generation: opened.generation,
    data: content.applicationData,
    authenticatedData: content.authenticatedData,
  }
}
