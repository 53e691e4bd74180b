import { type Bytes, equalBytes, toHex } from '@conclave/core/codec'
import type { GroupSummary } from '@conclave/core/delivery'
import type {
  CommitAppend,
  GroupKey,
  LogRecord,
  Snapshot,
  Store,
  WaitingEntry,
  WelcomePart,
} from './store.ts'

interface StoredTree {
  readonly seq: number
  readonly ratchetTree: Bytes
  readonly keepUntil: number
}

interface StoredWelcome {
  readonly part: WelcomePart
  readonly seq: number
  readonly expiresAt: number
}

interface StoredGroup {
  readonly groupId: Bytes
  readonly foundedBy: Bytes
  epoch: number
  /** The entry with sequence number n is at n - trimmed - 1. */
  readonly log: LogRecord[]
  logBytes: number
  trimmed: number
  snapshot: Snapshot
  readonly commits: Map<number, number>
  /** By tree hash, KeyPackageRef: hexadecimal. */
  readonly trees: Map<string, StoredTree>
  readonly welcomes: Map<string, StoredWelcome>
  readonly waiting: Map<string, WaitingEntry>
  readonly usedRefs: Map<string, number>
}

const defaultRetainedBytes = 16 << 20

/**
 * Keeps everything in this process; nothing survives it. JavaScript runs one step at a time, so a
 * method without an `await` inside is atomic.
 *
 * @param options `retainedBytes`: how much log a group keeps beyond its newest snapshot, 16 MiB
 *   unless told
 */
export function memoryStore(options: { readonly retainedBytes?: number } = {}): Store {
  const retainedBytes = options.retainedBytes ?? defaultRetainedBytes
  const groups = new Map<string, StoredGroup>()

  const find = ({ meetingId, groupId }: GroupKey): StoredGroup | undefined => {
    const group = groups.get(meetingId)
    return group !== undefined && equalBytes(group.groupId, groupId) ? group : undefined
  }

  return {
    durable: false,

    async currentGroup(meetingId) {
      const group = groups.get(meetingId)
      return group === undefined ? null : summary(group)
    },

    async createGroup({ key, snapshot }) {
      const existing = groups.get(key.meetingId)
      if (existing !== undefined) {
        const same =
          equalBytes(existing.groupId, key.groupId) &&
          equalBytes(existing.foundedBy, snapshot.groupInfo)
        return { outcome: 'exists', group: summary(existing), same }
      }
      groups.set(key.meetingId, founded(key.groupId, snapshot))
      return { outcome: 'created' }
    },

    async closeGroup(key) {
      return find(key) !== undefined && groups.delete(key.meetingId)
    },

    async appendProposal(key, { epoch, message, now }) {
      const group = find(key)
      if (group === undefined) return { outcome: 'group-unknown' }
      if (group.epoch !== epoch) return { outcome: 'epoch-mismatch', group: summary(group) }
      return { outcome: 'appended', seq: append(group, { epoch, message, at: now }) }
    },

    async appendCommit(key, commit) {
      const group = find(key)
      if (group === undefined) return { outcome: 'group-unknown' }
      if (group.epoch !== commit.epoch) {
        return { outcome: 'epoch-mismatch', group: summary(group) }
      }
      forgetExpired(group, commit.now)
      if (commit.parts.some(({ ref }) => group.usedRefs.has(toHex(ref)))) {
        return { outcome: 'ref-used' }
      }
      const admitted = commit.parts.flatMap(({ ref }) => group.waiting.get(toHex(ref)) ?? [])
      const seq = appendCommit(group, commit)
      trim(group, retainedBytes)
      return { outcome: 'appended', seq, admitted }
    },

    async readLog(key, after, limit) {
      const group = find(key)
      if (group === undefined) return undefined
      const start = Math.max(0, after - group.trimmed)
      return {
        entries: group.log.slice(start, start + limit),
        head: head(group),
        trimmed: group.trimmed,
      }
    },

    async findCommit(key, epoch) {
      const group = find(key)
      const seq = group?.commits.get(epoch)
      return seq === undefined ? undefined : group?.log[seq - group.trimmed - 1]
    },

    async readSnapshot(key) {
      return find(key)?.snapshot
    },

    async readTree(key, treeHash, now) {
      const group = find(key)
      if (group === undefined) return undefined
      forgetExpired(group, now)
      return group.trees.get(toHex(treeHash))?.ratchetTree
    },

    async addWaiting(key, entry, limits) {
      const group = find(key)
      if (group === undefined) return { outcome: 'group-unknown' }
      forgetExpired(group, limits.now)
      const ref = toHex(entry.ref)
      const welcome = group.welcomes.get(ref)
      if (welcome !== undefined) {
        return { outcome: 'welcomed', part: welcome.part, seq: welcome.seq }
      }
      if (group.usedRefs.has(ref)) return { outcome: 'used' }
      const known = group.waiting.get(ref)
      if (known === undefined && group.waiting.size >= limits.waiting) return { outcome: 'full' }
      // A joiner that reconnected keeps its place and its expiry; the new connection owns it.
      group.waiting.set(ref, known === undefined ? entry : { ...known, owner: entry.owner })
      return { outcome: 'waiting', position: [...group.waiting.keys()].indexOf(ref) }
    },

    async withdrawWaiting(key, ref, owner) {
      const group = find(key)
      const known = group?.waiting.get(toHex(ref))
      return known?.owner === owner && group?.waiting.delete(toHex(ref)) === true
    },

    async listWaiting(key, now) {
      const group = find(key)
      if (group === undefined) return []
      forgetExpired(group, now)
      return [...group.waiting.values()]
    },

    async dropWelcome(key, leafIndex) {
      const group = find(key)
      if (group !== undefined) dropWelcomesAt(group, [leafIndex])
    },

    async close() {
      groups.clear()
    },
  }
}

function founded(groupId: Bytes, snapshot: Snapshot): StoredGroup {
  return {
    groupId,
    foundedBy: snapshot.groupInfo,
    epoch: 0,
    log: [],
    logBytes: 0,
    trimmed: 0,
    snapshot,
    commits: new Map(),
    trees: new Map(),
    welcomes: new Map(),
    waiting: new Map(),
    usedRefs: new Map(),
  }
}

function head(group: StoredGroup): number {
  return group.trimmed + group.log.length
}

function summary(group: StoredGroup): GroupSummary {
  return { groupId: group.groupId, epoch: group.epoch, head: head(group) }
}

function append(group: StoredGroup, record: Omit<LogRecord, 'seq'>): number {
  const seq = head(group) + 1
  group.log.push({ seq, ...record })
  group.logBytes += size(record)
  return seq
}

function size({ message, commit }: Omit<LogRecord, 'seq'>): number {
  return message.length + (commit?.groupInfo.length ?? 0) + (commit?.welcome?.length ?? 0)
}

function appendCommit(group: StoredGroup, commit: CommitAppend): number {
  const { epoch, message, groupInfo, welcome, snapshot, now } = commit
  const seq = append(group, { epoch, message, at: now, commit: { groupInfo, welcome } })
  group.epoch = epoch + 1
  group.commits.set(epoch, seq)
  dropWelcomesAt(group, commit.removed)
  for (const part of commit.parts) {
    const ref = toHex(part.ref)
    group.waiting.delete(ref)
    group.usedRefs.set(ref, commit.refUntil)
    group.welcomes.set(ref, { part, seq, expiresAt: commit.welcomeUntil })
  }
  if (snapshot !== null) {
    group.snapshot = { ...snapshot, seq, groupInfo }
    const { ratchetTree } = snapshot
    group.trees.set(toHex(snapshot.treeHash), { seq, ratchetTree, keepUntil: commit.treeUntil })
  }
  return seq
}

function dropWelcomesAt(group: StoredGroup, leaves: readonly number[]): void {
  for (const [ref, { part }] of group.welcomes) {
    if (leaves.includes(part.leafIndex)) group.welcomes.delete(ref)
  }
}

function forgetExpired(group: StoredGroup, now: number): void {
  const { waiting, welcomes, usedRefs, trees } = group
  for (const [ref, { expiresAt }] of waiting) if (expiresAt <= now) waiting.delete(ref)
  for (const [ref, { expiresAt }] of welcomes) if (expiresAt <= now) welcomes.delete(ref)
  for (const [ref, until] of usedRefs) if (until <= now) usedRefs.delete(ref)
  const needed = new Set([...welcomes.values()].map(({ seq }) => seq))
  for (const [hash, { seq, keepUntil }] of trees) {
    if (keepUntil <= now && !needed.has(seq)) trees.delete(hash)
  }
}

/** Only behind the snapshot: the log after it stays complete. */
function trim(group: StoredGroup, retainedBytes: number): void {
  let count = 0
  for (const record of group.log) {
    if (group.logBytes <= retainedBytes || record.seq > group.snapshot.seq) break
    group.logBytes -= size(record)
    if (record.commit !== undefined) group.commits.delete(record.epoch)
    count++
  }
  group.log.splice(0, count)
  group.trimmed += count
}
