import {
  encodeVoid,
  type PackedReplyTo,
  type RequestOf,
  verifyEntryStatus,
} from '@conclave/core/delivery'
import type { LeafIndex } from '@conclave/core/wire'
import type { PresenceView, StoredStatus } from '../store/store.ts'
import type { UndoableCommit } from './followedGroup.ts'
import type { GroupLog } from './groupLog.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'
import { refuse } from './orderingError.ts'

/**
 * A commit that members cannot apply: their signed words are collected, and when everyone who is
 * there but the committer has failed, the commit is undone. One word that it could be applied, or
 * one that is missing, and it stands: a lone false report changes nothing.
 *
 * @param mayAsk whether everybody may be asked how they fared: one member could ask again and again
 */
export async function takeReport(
  log: GroupLog,
  view: PresenceView,
  { seq, leafIndex, status, signature }: RequestOf<'report'>,
  { store, audience, logger }: MeetingEnvironment,
  mayAsk: () => boolean,
): Promise<PackedReplyTo<'report'>> {
  const { undoable, publicGroup, epoch } = log.followed
  if (undoable?.seq !== seq) {
    return refuse('status-invalid', 'there is no such commit at the end of the log')
  }
  const { groupId, meetingId } = log.key
  const failed = status === 'failed'
  const group = failed ? undoable.before.publicGroup : publicGroup
  const leafNode = group.tree.leafNode(leafIndex as LeafIndex)
  const claim = { groupId, seq, entryHash: undoable.hash, leafIndex, status }
  const signed =
    leafNode !== undefined &&
    (await verifyEntryStatus(group.crypto, leafNode.signatureKey, claim, signature))
  if (!signed || !view.present.includes(leafIndex)) {
    return refuse('status-invalid', 'not signed by a leaf that is there')
  }
  if (leafIndex === undoable.committer) {
    return refuse('status-invalid', 'the committer is not asked')
  }
  const statuses = await store.addStatus(log.key, seq, { leaf: leafIndex, status, signature })
  if (statuses === undefined) return refuse('status-invalid', 'the log has gone on')
  if (statuses.some((one) => one.status === 'applied')) return { ok: true, outcome: 'stands' }
  if (statuses.length === 1 && mayAsk()) {
    logger.warn(
      { meeting: meetingId, epoch, seq, leaf: leafIndex },
      'a commit could not be applied',
    )
    audience.statusWanted(meetingId, { groupId, seq })
  }
  if (!isUnanimous(statuses, undoable, view)) return { ok: true, outcome: 'collecting' }
  const signatures = statuses.map((one) => ({ leafIndex: one.leaf, signature: one.signature }))
  const message = encodeVoid(seq, signatures)
  const undone = await log.undo(message)
  if (undone === undefined) return { ok: true, outcome: 'stands' }
  logger.warn({ meeting: meetingId, epoch, seq: undone.seq, voided: seq }, 'a commit was undone')
  audience.entry(meetingId, { groupId, entry: { seq: undone.seq, message } })
  return { ok: true, outcome: 'voided' }
}

/**
 * Whether everyone has failed who could have applied it. Whoever is without a connection for less
 * than the grace period counts as there: a moment without the others must not decide.
 */
function isUnanimous(
  statuses: readonly StoredStatus[],
  { before, committer, removed }: UndoableCommit,
  { present, overdue }: PresenceView,
): boolean {
  const failed = new Set(statuses.map(({ leaf }) => leaf))
  const notAsked = new Set<number>([...overdue, ...removed])
  const asked = before.publicGroup.tree
    .members()
    .map(({ leafIndex }): number => leafIndex)
    .filter((leaf) => !notAsked.has(leaf))
  return [...asked, ...present].every((leaf) => leaf === committer || failed.has(leaf))
}
