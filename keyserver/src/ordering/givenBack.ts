import { type Bytes, equalBytes, toHex } from '@conclave/core/codec'
import type { LogEntry } from '@conclave/core/delivery'
import type { PublicGroup } from '@conclave/core/mls/public'
import { ContentType, type LeafIndex } from '@conclave/core/wire'
import type { LogRecord, ReturnedAppend } from '../store/store.ts'
import { FollowedGroup } from './followedGroup.ts'
import type { GroupLogOptions } from './groupLogOptions.ts'
import { contentTypeOf } from './messages.ts'
import { OrderingError } from './orderingError.ts'

/**
 * Entries that the log has lost and that a client has kept, verified by the rules by which they
 * were appended before, but for their GroupInfos and Welcomes, which are lost.
 * @param start what the log ends with now
 * @param groupInfo of the epoch after the entries, by any member
 * @returns undefined where no entry is a commit
 * @throws CodecError, OrderingError, MlsError or MeetingError
 */
export async function verifyGivenBack(
  start: FollowedGroup,
  entries: readonly LogEntry[],
  groupInfo: Bytes,
  { crypto, policy, now, graceMs }: GroupLogOptions,
): Promise<ReturnedAppend | undefined> {
  const at = now()
  const records: LogRecord[] = []
  let followed = start
  const committers = new Set<number>()
  let begun: FollowedGroup | undefined
  for (const { seq, message } of entries) {
    if (seq !== followed.head + 1) {
      throw new OrderingError('entries-not-in-sequence', `entry ${seq} after ${followed.head}`)
    }
    const isCommit = contentTypeOf(message) === ContentType.commit
    const kind = isCommit ? 'commit' : 'proposal'
    const record: LogRecord = { seq, message, kind, epoch: followed.epoch, at }
    followed = await followed.replay(record)
    if (isCommit) begun = followed
    if (followed.undoable !== undefined) committers.add(followed.undoable.committer)
    records.push(record)
  }
  if (begun === undefined) return undefined
  const { publicGroup } = begun
  const { treeHash, confirmedTranscriptHash } = publicGroup.groupContext
  const ratchetTree = publicGroup.tree.encoded()
  const overdue = [...begun.ledger.overdue]
  const snapshot = { seq: begun.head, groupInfo, ratchetTree, treeHash, overdue }
  const described = await FollowedGroup.open(crypto, policy, snapshot, at)
  const { groupContext } = described.publicGroup
  if (!equalBytes(groupContext.confirmedTranscriptHash, confirmedTranscriptHash)) {
    throw new OrderingError('group-info-of-another-epoch', 'the GroupInfo is not of the last epoch')
  }
  return {
    head: start.head,
    epoch: start.epoch,
    records,
    snapshot,
    epochAfter: begun.epoch,
    committers: [...committers],
    ...membersChanged(start.publicGroup, publicGroup),
    now: at,
    dueAt: at + graceMs,
  }
}

/** A leaf that is somebody else's than before has been removed and added. */
function membersChanged(
  before: PublicGroup,
  after: PublicGroup,
): { readonly added: readonly LeafIndex[]; readonly removed: readonly LeafIndex[] } {
  const was = keysByLeaf(before)
  const is = keysByLeaf(after)
  return {
    added: [...is].filter(([leaf, key]) => was.get(leaf) !== key).map(([leaf]) => leaf),
    removed: [...was].filter(([leaf, key]) => is.get(leaf) !== key).map(([leaf]) => leaf),
  }
}

function keysByLeaf({ tree }: PublicGroup): ReadonlyMap<LeafIndex, string> {
  return new Map(
    tree.members().map(({ leafIndex, leafNode }) => [leafIndex, toHex(leafNode.signatureKey)]),
  )
}
