import { decode, equalBytes } from '@conclave/core/codec'
import { type GroupSummary, maxEntriesPerPage, readVoid } from '@conclave/core/delivery'
import { ContentType, MlsMessage, ProposalType, SenderType, WireFormat } from '@conclave/core/wire'
import type { LogRecord, Store } from '../../src/store/store.ts'
import { removalIn } from '../support/removalWords.ts'
import type { Acknowledged, Observations, View } from './observations.ts'

/** What there is to judge a meeting by once faults are over. */
export interface Evidence {
  /** What the store says of the group. */
  readonly group: GroupSummary
  /** The whole log, and what of it was read before. */
  readonly log: readonly LogRecord[]
  readonly earlier: readonly LogRecord[]
  readonly acknowledged: readonly Acknowledged[]
  readonly views: readonly View[]
}

/** Reads all that the store has. */
export async function gatherEvidence(
  store: Store,
  meetingId: string,
  { acknowledged, views }: Observations,
): Promise<Omit<Evidence, 'earlier'>> {
  const group = await store.currentGroup(meetingId)
  if (group === null) throw new Error(`${meetingId} has no group`)
  const log: LogRecord[] = []
  for (;;) {
    const key = { meetingId, groupId: group.groupId }
    const page = await store.readLog(key, log.length, maxEntriesPerPage)
    if (page === undefined || page.entries.length === 0) break
    log.push(...page.entries)
  }
  return { group, log, acknowledged, views }
}

/** What is wrong with it, in words; nothing where all is well. */
export function findings(evidence: Evidence): readonly string[] {
  return [
    ...disorder(evidence),
    ...losses(evidence),
    ...changes(evidence),
    ...disagreements(evidence),
  ]
}

/** Sequence numbers without a gap, and one commit for each epoch, by what the messages say. */
function* disorder({ group, log }: Evidence): Iterable<string> {
  let epoch = 0
  for (const [i, { seq, message }] of log.entries()) {
    if (seq !== i + 1) yield `entry ${seq} stands where ${i + 1} should`
    const content = contentOf(message)
    if (content === 'void') {
      epoch -= 1
      continue
    }
    if (content.epoch < epoch && content.isCommit) {
      yield `entry ${seq} is a second commit of epoch ${content.epoch}`
    } else if (content.epoch !== epoch) {
      yield `entry ${seq} is of epoch ${content.epoch}, in epoch ${epoch}`
    } else if (content.isCommit) epoch += 1
  }
  if (epoch !== group.epoch) yield `the log ends in epoch ${epoch}, the store in ${group.epoch}`
  if (log.length !== group.head) yield `the log has ${log.length} entries, not ${group.head}`
}

/** What has been acknowledged as durable and is not there. */
function* losses({ log, acknowledged }: Evidence): Iterable<string> {
  for (const { who, seq, message } of acknowledged) {
    const entry = log[seq - 1]
    if (entry === undefined) yield `entry ${seq}, acknowledged to ${who}, is lost`
    else if (!equalBytes(entry.message, message) && !isInsteadOf(message, entry)) {
      yield `entry ${seq} is not what was acknowledged to ${who}`
    }
  }
}

/** Of a goodbye for an epoch that was over the keyserver's own removal is acknowledged. */
function isInsteadOf(goodbye: LogRecord['message'], entry: LogRecord): boolean {
  const read = publicMessageIn(goodbye).content
  if (read.contentType !== ContentType.proposal || contentOf(entry.message) === 'void') return false
  const { contentType, sender } = publicMessageIn(entry.message).content
  return (
    read.proposal.proposalType === ProposalType.selfRemove &&
    read.sender.senderType === SenderType.member &&
    contentType === ContentType.proposal &&
    sender.senderType === SenderType.external &&
    removalIn(entry).leaf === read.sender.leafIndex
  )
}

/** Nothing that anybody could read is ever taken back. */
function* changes({ log, earlier }: Evidence): Iterable<string> {
  for (const { seq, message } of earlier) {
    const entry = log[seq - 1]
    if (entry === undefined || !equalBytes(entry.message, message)) {
      yield `entry ${seq} is not what it was`
    }
  }
}

/** In one epoch everybody has the same group. */
function* disagreements({ views }: Evidence): Iterable<string> {
  const first = new Map<number, View>()
  for (const view of views) {
    const other = first.get(view.epoch)
    if (other === undefined) first.set(view.epoch, view)
    else if (other.safetyCode !== view.safetyCode) {
      yield `${view.who} and ${other.who} are in different groups in epoch ${view.epoch}`
    }
  }
}

function contentOf(entry: LogRecord['message']) {
  if (readVoid(entry) !== undefined) return 'void'
  const { epoch, contentType } = publicMessageIn(entry).content
  return { epoch: Number(epoch), isCommit: contentType === ContentType.commit }
}

function publicMessageIn(encoded: LogRecord['message']) {
  const message = decode(MlsMessage, encoded)
  if (message.wireFormat !== WireFormat.publicMessage) throw new Error('not a PublicMessage')
  return message.publicMessage
}
