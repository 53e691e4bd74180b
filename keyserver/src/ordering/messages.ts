import { ConclaveError } from '@conclave/core'
import {
  type Bytes,
  decode,
  decodePrefix,
  opaque,
  struct,
  uint16,
  uint64,
} from '@conclave/core/codec'
import { CommitEnvelope } from '@conclave/core/delivery'
import {
  type CommitContent,
  ContentType,
  type GroupInfo,
  type KeyPackage,
  MlsMessage,
  type PrivateMessage,
  type ProposalContent,
  type PublicMessage,
  RatchetTree,
  Sender,
  SenderType,
  type Welcome,
  WireFormat,
} from '@conclave/core/wire'
import { OrderingError } from './orderingError.ts'

/*
 * Reads what a client uploads. All of these throw CodecError for bytes that are not an MLSMessage
 * and OrderingError `message-kind-unexpected` for another kind of message.
 */

export type ProposalMessage = PublicMessage & { readonly content: ProposalContent }
export type CommitMessage = PublicMessage & { readonly content: CommitContent }

export function readProposal(bytes: Bytes): ProposalMessage {
  const message = readPublicMessage(bytes)
  const { content } = message
  if (content.contentType !== ContentType.proposal) throw unexpected('a proposal')
  return { ...message, content }
}

export function readCommit(bytes: Bytes): CommitMessage {
  const message = readPublicMessage(bytes)
  const { content } = message
  if (content.contentType !== ContentType.commit) throw unexpected('a commit')
  return { ...message, content }
}

/** Nothing of it can be checked here but what it says of itself. */
export function readApplicationMessage(bytes: Bytes): PrivateMessage {
  const message = decode(MlsMessage, bytes)
  if (
    message.wireFormat !== WireFormat.privateMessage ||
    message.privateMessage.contentType !== ContentType.application
  ) {
    throw unexpected('an application message')
  }
  return message.privateMessage
}

export function contentTypeOf(bytes: Bytes): ContentType {
  return readPublicMessage(bytes).content.contentType
}

/** How a PublicMessage begins: who has sent it, and to which epoch. */
const Framing = struct({
  version: uint16,
  wireFormat: uint16,
  groupId: opaque(),
  epoch: uint64,
  sender: Sender,
})

/** The epoch that a newcomer's own commit into the group ends; undefined for anything else. */
export function epochOfExternalCommit(bytes: Bytes): bigint | undefined {
  try {
    const { sender, epoch, wireFormat } = decodePrefix(Framing, bytes)
    if (wireFormat !== WireFormat.publicMessage) return undefined
    return sender.senderType === SenderType.newMemberCommit ? epoch : undefined
  } catch (error) {
    if (error instanceof ConclaveError) return undefined
    throw error
  }
}

export function readGroupInfo(bytes: Bytes): GroupInfo {
  const message = decode(MlsMessage, bytes)
  if (message.wireFormat !== WireFormat.groupInfo) throw unexpected('a GroupInfo')
  return message.groupInfo
}

export function readWelcome(bytes: Bytes): Welcome {
  const message = decode(MlsMessage, bytes)
  if (message.wireFormat !== WireFormat.welcome) throw unexpected('a Welcome')
  return message.welcome
}

export function readKeyPackage(bytes: Bytes): KeyPackage {
  const message = decode(MlsMessage, bytes)
  if (message.wireFormat !== WireFormat.keyPackage) throw unexpected('a KeyPackage')
  return message.keyPackage
}

export function readRatchetTree(bytes: Bytes): RatchetTree {
  return decode(RatchetTree, bytes)
}

/**
 * The newest entry that a committer says it had seen.
 * @throws OrderingError `commit-envelope-invalid`
 */
export function readSeenSeq({ content }: CommitMessage, head: number): bigint {
  let seenSeq: bigint
  try {
    seenSeq = decode(CommitEnvelope, content.authenticatedData).seenSeq
  } catch (cause) {
    throw new OrderingError('commit-envelope-invalid', 'no CommitEnvelope', { cause })
  }
  if (seenSeq > BigInt(head)) {
    throw new OrderingError('commit-envelope-invalid', `there is no entry ${seenSeq} yet`)
  }
  return seenSeq
}

function readPublicMessage(bytes: Bytes): PublicMessage {
  const message = decode(MlsMessage, bytes)
  if (message.wireFormat !== WireFormat.publicMessage) throw unexpected('a PublicMessage')
  return message.publicMessage
}

function unexpected(wanted: string): OrderingError {
  return new OrderingError('message-kind-unexpected', `this is not ${wanted}`)
}
