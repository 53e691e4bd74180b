import type { ConclaveError } from '@conclave/core'
import { type Bytes, emptyBytes } from '@conclave/core/codec'
import {
  type EntryStatusName,
  entryStatusLabel,
  entryStatusTbs,
  type RequestOf,
  type VoidEntry,
  voidFault,
} from '@conclave/core/delivery'
import type { Group } from '@conclave/core/mls/group'
import { committerKey } from './commitClaims.ts'
import type { EntryOutcome } from './entryOutcome.ts'
import { SessionError } from './sessionError.ts'

/** The commit at the log's end, which may be undone yet. */
export interface HeadCommit {
  readonly seq: number
  readonly message: Bytes
  readonly status: EntryStatusName
  /** Why it failed. */
  readonly error?: ConclaveError
}

/** A commit that failed here and that nobody has undone. */
export interface FailedCommit {
  readonly seq: number
  readonly error: ConclaveError
}

/** Our signed word on how it fared here. */
export async function wordOn(
  { seq, message, status }: HeadCommit,
  group: Group,
): Promise<RequestOf<'report'>> {
  const { groupId, leafIndex } = group
  const entryHash = group.public.crypto.hash(message)
  const content = entryStatusTbs({ groupId, seq, entryHash, leafIndex, status })
  const signature = await group.sign(entryStatusLabel, content)
  return { groupId, seq, leafIndex, status, signature }
}

/**
 * What a `void` does, that comes after the entry `lastSeq`.
 * @param head the commit that this entry is, where it is one that we know
 */
export async function undone(
  entry: VoidEntry,
  head: HeadCommit | undefined,
  { groupId, public: group }: Group,
  lastSeq: number,
): Promise<EntryOutcome> {
  const fault = await voidFault(group.crypto, entry, {
    groupId,
    seq: lastSeq,
    entryHash: head === undefined ? emptyBytes : group.crypto.hash(head.message),
    // Whoever has joined by the commit has applied it.
    status: head?.status ?? 'applied',
    committerKey: head && committerKey(head.message, group),
    tree: group.tree,
  })
  if (fault === undefined) return { kind: 'voided' }
  const error = new SessionError('log-inapplicable', 'a commit is undone that must stand', {
    detail: fault,
  })
  return { kind: fault === 'void-of-applied-commit' ? 'contradicted' : 'inapplicable', error }
}
