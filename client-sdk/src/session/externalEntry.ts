import { type Bytes, encode, equalBytes } from '@conclave/core/codec'
import { CommitEnvelope, type LogEntry, type Refusal, readVoid } from '@conclave/core/delivery'
import type { OwnLeaf } from '@conclave/core/mls/bootstrap'
import { Group, type PendingCommit } from '@conclave/core/mls/group'
import {
  ContentType,
  type GroupInfo,
  type LeafIndex,
  MlsMessage,
  NodeType,
  ProposalType,
  type PublicMessage,
  RatchetTree,
  WireFormat,
} from '@conclave/core/wire'
import type { RoomEnvironment } from '../rooms/roomBond.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import { readServer, uploadedGroupInfo } from './enterMeeting.ts'
import { isGroupOver, isTransient, refusal, SessionError } from './sessionError.ts'

/** An external commit of ours that the log has not decided yet. */
export interface ExternalEntry {
  readonly groupId: Bytes
  readonly pending: PendingCommit
  /** The newest entry that it knows of. */
  readonly after: number
}

/** Who enters a group by a commit of their own, and what they know of it from before. */
export interface Entering {
  readonly own: OwnLeaf
  /** The group has come this far for certain: an older epoch of it is not entered. */
  readonly minEpoch: bigint
}

/**
 * Makes the commit by which somebody enters without being added (RFC 9420 §12.4.3.2). It takes the
 * place of the leaf that has our signature key, where there is one. Undefined where the group cannot
 * be entered at the moment: the epoch has just ended, or is behind what we have seen of it; and for a
 * breakout room while we are out of touch with its parent.
 *
 * @throws SessionError `keyserver-protocol-violated`, `keyserver-refused`, also where the group is over; MlsError, MeetingError where the group is not
 *   valid, or not what the caller expects
 */
export async function prepareEntry(
  environment: RoomEnvironment,
  link: Pick<DeliveryLink, 'request'>,
  groupId: Bytes,
  { own, minEpoch }: Entering,
): Promise<ExternalEntry | undefined> {
  // Who may have been removed from the parent meanwhile is not let in by others.
  if (environment.room?.inTouch === false) return undefined
  const described = await link.request('groupInfo', { groupId })
  if (!described.ok) return unavailable(described)
  const groupInfo = readGroupInfo(described.groupInfo)
  const { groupContext } = groupInfo
  if (!equalBytes(groupContext.groupId, groupId)) throw violated('another group’s GroupInfo')
  if (groupContext.epoch < minEpoch) return undefined
  const { treeHash } = groupContext
  const [tree, log] = await Promise.all([
    link.request('tree', { groupId, treeHash }),
    link.request('resume', { groupId, after: described.seq }),
  ])
  if (!tree.ok) return unavailable(tree)
  if (!log.ok) return unavailable(log)
  const proposals = proposalsIn(log.entries)
  if (log.entries.length < log.head - described.seq || proposals.some(isCommit)) return undefined
  const ratchetTree = readServer(RatchetTree, tree.ratchetTree)
  const pending = await Group.joinExternally(environment, {
    groupInfo,
    ratchetTree,
    own,
    ...replaced(ratchetTree, own),
    selfRemoves: proposals.filter(isSelfRemove),
    preSharedKeys: environment.room === undefined ? [] : [environment.room.newestPsk()],
    authenticatedData: encode(CommitEnvelope, { seenSeq: BigInt(log.head) }),
    groupInfoOptions: uploadedGroupInfo,
    // Until they are verified, another commit would have ended the epoch of a large meeting.
    leafChecks: 'later',
  })
  return { groupId, pending, after: log.head }
}

/** @throws SessionError `keyserver-refused` where not just this epoch is over */
function unavailable(reply: Refusal): undefined {
  const error = refusal(reply)
  if (isTransient(error) || isGroupOver(error)) throw error
}

/** The leaf that has our signature key: nobody else may have it, and a group has none of them twice. */
function replaced(tree: RatchetTree, { signer }: OwnLeaf): { readonly replaces?: LeafIndex } {
  const index = tree.findIndex(
    (node) =>
      node?.nodeType === NodeType.leaf && equalBytes(node.leafNode.signatureKey, signer.publicKey),
  )
  return index < 0 ? {} : { replaces: (index / 2) as LeafIndex }
}

/** @throws SessionError `keyserver-protocol-violated` */
export function readGroupInfo(bytes: Bytes): GroupInfo {
  const message = readServer(MlsMessage, bytes)
  if (message.wireFormat !== WireFormat.groupInfo) throw violated('no GroupInfo')
  return message.groupInfo
}

/** What stands since the epoch began: a void follows at once what it undoes. */
function proposalsIn(entries: readonly LogEntry[]): readonly PublicMessage[] {
  const standing: PublicMessage[] = []
  for (const entry of entries) {
    if (readVoid(entry.message) === undefined) standing.push(readHandshake(entry))
    else standing.pop()
  }
  return standing
}

function readHandshake({ message }: LogEntry): PublicMessage {
  const decoded = readServer(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.publicMessage) throw violated('no PublicMessage')
  return decoded.publicMessage
}

function isCommit({ content }: PublicMessage): boolean {
  return content.contentType === ContentType.commit
}

function isSelfRemove({ content }: PublicMessage): boolean {
  return (
    content.contentType === ContentType.proposal &&
    content.proposal.proposalType === ProposalType.selfRemove
  )
}

function violated(what: string): SessionError {
  return new SessionError('keyserver-protocol-violated', `the keyserver sent ${what}`)
}
