import { utf8 } from '@conclave/core/codec'
import type {
  CommitAppend,
  GroupFounding,
  GroupKey,
  ProposalAppend,
  Snapshot,
  Store,
  WaitingEntry,
  WelcomePart,
} from '../../src/store/store.ts'

export const start = 1_700_000_000_000
export const minute = 60_000
export const key: GroupKey = { meetingId: 'standup', groupId: utf8('group-0123456789') }

export function snapshot(seq = 0, name = 'founding'): Snapshot {
  return {
    seq,
    groupInfo: utf8(`info ${name}`),
    ratchetTree: utf8(`tree ${name}`),
    treeHash: utf8(`hash ${name}`),
    overdue: [],
  }
}

export function founding(name = 'founding'): GroupFounding {
  return {
    key,
    snapshot: snapshot(0, name),
    now: start,
    dueAt: start + minute,
    expiresAt: start + 60 * minute,
  }
}

export function proposal(epoch: number, text: string): ProposalAppend {
  return { epoch, message: utf8(text), now: start, leaving: null }
}

export function commit(epoch: number, changes: Partial<CommitAppend> = {}): CommitAppend {
  return {
    epoch,
    after: 0,
    message: utf8(`commit ${epoch}`),
    groupInfo: utf8(`info ${epoch + 1}`),
    welcome: null,
    parts: [],
    committer: 0,
    rate: { commits: 100, perMs: minute },
    added: [],
    dueAt: start + minute,
    joinedBy: start + 2 * minute,
    removed: [],
    offers: null,
    snapshot: null,
    now: start,
    treeUntil: start + minute,
    welcomeUntil: start + 5 * minute,
    refUntil: start + 45 * minute,
    ...changes,
  }
}

export function adding(epoch: number, ...parts: readonly WelcomePart[]): CommitAppend {
  const { groupInfo: _, seq: __, ...tree } = snapshot(0, `${epoch + 1}`)
  const added = parts.map(({ leafIndex }) => leafIndex)
  return commit(epoch, { parts, added, welcome: utf8('welcome to all'), snapshot: tree })
}

export function part(name: string, leafIndex = 1): WelcomePart {
  return { ref: utf8(name), leafIndex, welcome: utf8(`welcome ${name}`) }
}

export function waiting(
  name: string,
  owner = 'connection',
  expiresAt = start + minute,
  identity = `${name} of Example Ltd`,
): WaitingEntry {
  return { ref: utf8(name), keyPackage: utf8(`key package ${name}`), owner, identity, expiresAt }
}

/** Opens an empty store, which is closed when the test has ended. */
export type OpenStore = (options?: { readonly retainedBytes?: number }) => Promise<Store>

/** @param added whom a commit has added to the group since it was founded */
export async function openWithGroup(
  open: OpenStore,
  {
    added = [],
    ...options
  }: { readonly added?: readonly WelcomePart[]; readonly retainedBytes?: number } = {},
): Promise<Store> {
  const store = await open(options)
  await store.createGroup(founding())
  if (added.length > 0) await store.appendCommit(key, adding(0, ...added))
  return store
}
