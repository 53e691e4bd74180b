import { type Bytes, equalBytes } from '@conclave/core/codec'
import { MemoryGroup } from './memoryGroup.ts'
import type { GroupKey, LogPage, LogRecord, Store } from './store.ts'

const defaultRetainedBytes = 16 << 20

/**
 * Keeps everything in this process; nothing survives it. JavaScript runs one step at a time, so a
 * method without an `await` inside is atomic.
 *
 * @param options `retainedBytes`: how much log a group keeps beyond its snapshots, 16 MiB unless
 *   told
 */
export function memoryStore(options: { readonly retainedBytes?: number } = {}): Store {
  const retainedBytes = options.retainedBytes ?? defaultRetainedBytes
  const groups = new Map<string, MemoryGroup>()
  const agreed = new Map<string, Bytes>()

  const find = ({ meetingId, groupId }: GroupKey): MemoryGroup | undefined => {
    const group = groups.get(meetingId)
    return group !== undefined && equalBytes(group.groupId, groupId) ? group : undefined
  }
  const unknown = { outcome: 'group-unknown' } as const

  return {
    durable: false,
    shared: false,

    async check() {},

    async agree(name, proposed) {
      const value = agreed.get(name) ?? proposed
      agreed.set(name, value)
      return value
    },

    async listMeetings(cursor, limit) {
      const start = cursor === null ? 0 : Number(cursor)
      const end = start + limit
      const meetingIds = [...groups.keys()].slice(start, end)
      return { meetingIds, cursor: end < groups.size ? String(end) : null }
    },

    async currentGroup(meetingId) {
      return groups.get(meetingId)?.summary ?? null
    },

    async createGroup(founding) {
      const { meetingId } = founding.key
      const existing = groups.get(meetingId)
      if (existing !== undefined) {
        const same = existing.isFoundedBy(founding.key.groupId, founding.snapshot.groupInfo)
        return { outcome: 'exists', group: existing.summary, same }
      }
      groups.set(meetingId, new MemoryGroup(founding, retainedBytes))
      return { outcome: 'created' }
    },

    async closeGroup(key) {
      return find(key) !== undefined && groups.delete(key.meetingId)
    },

    async appendProposal(key, proposal) {
      return find(key)?.appendProposal(proposal) ?? unknown
    },

    async appendCommit(key, commit) {
      return find(key)?.appendCommit(commit) ?? unknown
    },

    async appendVoid(key, entry) {
      return find(key)?.appendVoid(entry) ?? unknown
    },

    async appendReturned(key, returned) {
      return find(key)?.appendReturned(returned) ?? unknown
    },

    async readLog(key, after, limit) {
      const group = find(key)
      return group && pageOf(group, after, limit)
    },

    async readEntries(key, after, limit) {
      const group = find(key)
      if (group === undefined) return undefined
      const { entries, ...ends } = pageOf(group, after, limit)
      return { ...ends, entries: entries.map(({ seq, message }) => ({ seq, message })) }
    },

    async findCommit(key, epoch) {
      return find(key)?.findCommit(epoch)
    },

    async readSnapshot(key) {
      return find(key)?.snapshot
    },

    async readGroupInfo(key) {
      return find(key)?.groupInfo()
    },

    async readTree(key, treeHash, now) {
      return find(key)?.tree(treeHash, now)
    },

    async addWaiting(key, entry, limits) {
      return find(key)?.addWaiting(entry, limits) ?? unknown
    },

    async withdrawWaiting(key, ref, owner) {
      return find(key)?.withdrawWaiting(ref, owner) ?? false
    },

    async listWaiting(key, now) {
      return find(key)?.listWaiting(now) ?? []
    },

    async findWelcome(key, ref, now) {
      return find(key)?.welcome(ref, now)
    },

    async dropWelcome(key, leafIndex) {
      find(key)?.dropWelcome(leafIndex)
    },

    async attach(key, attachment, times) {
      return find(key)?.attach(attachment, times) ?? false
    },

    async detach(key, connection, dueAt) {
      return find(key)?.detach(connection, dueAt) ?? false
    },

    async renewLease(key, instance, until) {
      return find(key)?.renewLease(instance, until) ?? false
    },

    async markLeaving(key, leaf, envelope) {
      find(key)?.markLeaving(leaf, envelope)
    },

    async readPresence(key, times) {
      return find(key)?.presence(times)
    },

    async addStatus(key, seq, status) {
      return find(key)?.addStatus(seq, status)
    },

    async putOffer(key, epoch, offer, options) {
      return find(key)?.putOffer(epoch, offer, options) ?? unknown
    },

    async missingOffers(key, wanted) {
      return find(key)?.missingOffers(wanted)
    },

    async readOffers(key, leaves) {
      return find(key)?.readOffers(leaves)
    },

    async continueGroup(key, next) {
      const group = find(key)
      if (group === undefined) return unknown
      if (!group.endsWith(next)) return { outcome: 'epoch-mismatch', group: group.summary }
      const attached = group.attachments.map(({ connection, leaf }) => ({ connection, leaf }))
      groups.set(key.meetingId, MemoryGroup.continuing(group, key.meetingId, next))
      return { outcome: 'continued', attached }
    },

    async continuationOf({ meetingId, groupId }) {
      const group = groups.get(meetingId)
      return group?.continues(groupId) ? group.summary : undefined
    },

    async isFoundedBy(key, groupInfo) {
      return find(key)?.isFoundedBy(key.groupId, groupInfo) ?? false
    },

    async readPastEntries({ meetingId, groupId }, after, limit, now) {
      const past = groups.get(meetingId)?.past(groupId, now)
      if (past === undefined) return undefined
      const { entries, ...ends } = pageOf(past, after, limit)
      return { ...ends, entries: entries.map(({ seq, message }) => ({ seq, message })) }
    },

    async close() {
      groups.clear()
    },
  }
}

function pageOf(
  { log, head, trimmed }: Pick<MemoryGroup, 'log' | 'head' | 'trimmed'>,
  after: number,
  limit: number,
): LogPage<LogRecord> {
  const start = Math.max(0, after - trimmed)
  return { entries: log.slice(start, start + limit), head, trimmed }
}
