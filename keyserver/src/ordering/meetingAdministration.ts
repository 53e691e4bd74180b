import { decode } from '@conclave/core/codec'
import { encodeRemovalEnvelope, maxEntriesPerPage } from '@conclave/core/delivery'
import {
  ContentType,
  MlsMessage,
  type Proposal,
  ProposalOrRefType,
  ProposalType,
  type Sender,
  SenderType,
  WireFormat,
} from '@conclave/core/wire'
import type { Administration, LogLine, MeetingView, RosterEntry } from '../administration.ts'
import type { LogRecord, Store } from '../store/store.ts'
import type { Meetings } from './meetings.ts'
import { describeMember } from './members.ts'
import type { OpenGroup } from './openGroup.ts'

/** Administration of the meetings of a store, by the public state that every instance can follow. */
export function administer(meetings: Meetings, store: Store): Administration {
  /** Does something in the meeting's group, up to date; undefined where it has none. */
  const inGroup = <T>(meetingId: string, task: (group: OpenGroup) => Promise<T | undefined>) =>
    meetings.visit(meetingId, async (meeting) => {
      const group = await meeting.newest()
      return group && (await task(group))
    })
  return {
    listMeetings: (cursor, limit) => store.listMeetings(cursor, limit),
    meeting: (meetingId) => inGroup(meetingId, (group) => viewOf(meetingId, group)),
    log: (meetingId, after) =>
      inGroup(meetingId, async ({ log }) => {
        const page = await store.readLog(log.key, after, maxEntriesPerPage)
        if (page === undefined || after < page.trimmed) return undefined
        return { lines: page.entries.map(lineOf), head: page.head }
      }),
    end: (meetingId) =>
      meetings.visit(meetingId, async (meeting) => {
        if ((await meeting.newest()) === undefined) return false
        await meeting.end('ended')
        return true
      }),
    remove: (meetingId, who) =>
      inGroup(meetingId, async (group) => {
        const { roster } = (await viewOf(meetingId, group)) ?? { roster: [] }
        const leaves = roster
          .filter((entry) =>
            'leaf' in who ? entry.leaf === who.leaf : entry.identity === who.identity,
          )
          .map(({ leaf }) => leaf)
        const envelope = encodeRemovalEnvelope({ reason: 'removed' })
        for (const leaf of leaves) await store.markLeaving(group.log.key, leaf, envelope)
        await group.attendance.removeDue()
        return leaves
      }),
  }
}

async function viewOf(meetingId: string, group: OpenGroup): Promise<MeetingView | undefined> {
  const presence = await group.attendance.view()
  if (presence === undefined) return undefined
  const { publicGroup, ledger, epoch, head } = group.log.followed
  const present = new Set(presence.present)
  const roster = publicGroup.tree.members().map(
    ({ leafIndex, leafNode }): RosterEntry => ({
      ...describeMember(leafIndex, leafNode),
      connected: present.has(leafIndex),
      beingRemoved: ledger.pending.has(leafIndex),
    }),
  )
  const waiting = (await group.waitingRoom.list()).length
  const { expiresAt } = presence
  return { meetingId, groupId: group.groupId, epoch, head, expiresAt, waiting, roster }
}

function lineOf({ seq, kind, epoch, at, message }: LogRecord): LogLine {
  const line = { seq, kind, epoch, at, bytes: message.length }
  if (kind === 'void') return { ...line, sender: 'keyserver', contents: [] }
  const decoded = decode(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.publicMessage) return { ...line, sender: '', contents: [] }
  const { content } = decoded.publicMessage
  const sender = nameOfSender(content.sender)
  switch (content.contentType) {
    case ContentType.proposal:
      return { ...line, sender, contents: [nameOfProposal(content.proposal)] }
    case ContentType.commit:
      return {
        ...line,
        sender,
        contents: content.commit.proposals.map((item) =>
          item.type === ProposalOrRefType.proposal ? nameOfProposal(item.proposal) : 'reference',
        ),
      }
    default:
      return { ...line, sender, contents: [] }
  }
}

function nameOfSender(sender: Sender): string {
  switch (sender.senderType) {
    case SenderType.member:
      return `leaf ${sender.leafIndex}`
    case SenderType.external:
      return 'keyserver'
    default:
      return 'newcomer'
  }
}

const proposalNames = new Map(
  Object.entries(ProposalType).map(([name, type]): [number, string] => [type, name]),
)

function nameOfProposal(proposal: Proposal): string {
  const name = proposalNames.get(proposal.proposalType) ?? 'unknown'
  return proposal.proposalType === ProposalType.remove ? `${name} ${proposal.removed}` : name
}
