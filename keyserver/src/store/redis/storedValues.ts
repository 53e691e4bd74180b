import type { Bytes } from '@conclave/core/codec'
import type { LogEntry } from '@conclave/core/delivery'
import type {
  AppendFailure,
  AppendOutcome,
  Attachment,
  GroupKey,
  LogPage,
  LogRecord,
  OffersWanted,
  Snapshot,
  StoredStatus,
  WaitingEntry,
  WelcomePart,
} from '../store.ts'
import type { RedisArgument } from './redisConnection.ts'
import { bytesOf, corrupted, fieldsOf, listOf, numberOf, textOf, tuplesOf } from './replies.ts'

/** Leaf indices, as the scripts take and store them. */
export function asLeafList(leaves: readonly number[]): string {
  return leaves.join(',')
}

/** An entry as XRANGE gives it: its id `<seq>-0` and its fields. */
export function recordOf(entry: unknown): LogRecord {
  const [id, fields] = listOf(entry)
  const field = fieldsOf(fields)
  const kind = textOf(field.get('kind'))
  if (kind !== 'proposal' && kind !== 'commit' && kind !== 'void') throw corrupted('a log entry')
  const groupInfo = field.get('groupInfo')
  const welcome = field.get('welcome')
  return {
    seq: numberOf(bytesOf(id).subarray(0, -2)),
    kind,
    epoch: numberOf(field.get('epoch')),
    at: numberOf(field.get('at')),
    message: bytesOf(field.get('message')),
    ...(groupInfo !== undefined && {
      upload: {
        groupInfo: bytesOf(groupInfo),
        welcome: welcome === undefined ? null : bytesOf(welcome),
      },
    }),
  }
}

export function snapshotOf(reply: unknown): Snapshot {
  const [seq, groupInfo, treeHash, ratchetTree, overdue] = listOf(reply)
  const leaves = textOf(overdue)
  return {
    seq: numberOf(seq),
    groupInfo: bytesOf(groupInfo),
    ratchetTree: bytesOf(ratchetTree),
    treeHash: bytesOf(treeHash),
    overdue: leaves === '' ? [] : leaves.split(',').map(Number),
  }
}

/** `ref keyPackage owner until` of each; an owner is `<connection> <identity>`. */
export function waitingOf(items: readonly unknown[]): readonly WaitingEntry[] {
  return tuplesOf(items, 4).map(([ref, keyPackage, owner, until]) => {
    const [, connection, identity] = /^(\S+) (.*)$/s.exec(textOf(owner)) ?? []
    if (connection === undefined || identity === undefined) throw corrupted('a joiner')
    return {
      ref: bytesOf(ref),
      keyPackage: bytesOf(keyPackage),
      owner: connection,
      identity,
      expiresAt: numberOf(until),
    }
  })
}

/** `leaf seq welcome` */
export function welcomeOf(
  ref: Bytes,
  items: readonly unknown[],
): { readonly part: WelcomePart; readonly seq: number } {
  const [leaf, seq, welcome] = items
  return {
    part: { ref, leafIndex: numberOf(leaf), welcome: bytesOf(welcome) },
    seq: numberOf(seq),
  }
}

/** Leaf and `<status> <signature>` of each, by leaf. */
export function statusesOf(reply: unknown): readonly StoredStatus[] {
  return tuplesOf(reply, 2)
    .map(([leaf, word]) => {
      const bytes = bytesOf(word)
      const blank = bytes.indexOf(0x20)
      const status = textOf(bytes.subarray(0, blank))
      if (status !== 'applied' && status !== 'failed') throw corrupted('a status')
      return { leaf: numberOf(leaf), status, signature: bytes.subarray(blank + 1) } as const
    })
    .sort((a, b) => a.leaf - b.leaf)
}

/** Leaf and envelope of each. */
export function requestsOf(reply: unknown): ReadonlyMap<number, Bytes> {
  return new Map(
    tuplesOf(listOf(reply), 2).map(([leaf, envelope]) => [numberOf(leaf), bytesOf(envelope)]),
  )
}

/** Leaf indices in ascending order. */
export function leavesOf(reply: unknown): readonly number[] {
  return listOf(reply)
    .map(numberOf)
    .sort((a, b) => a - b)
}

/** `seq` follows from where the page begins: the log has no gaps. */
export function entriesOf(after: number, reply: readonly unknown[]): LogPage<LogEntry> {
  const [head, trimmed, messages] = reply
  const first = Math.max(after, numberOf(trimmed)) + 1
  return {
    entries: listOf(messages).map((message, i) => ({ seq: first + i, message: bytesOf(message) })),
    head: numberOf(head),
    trimmed: numberOf(trimmed),
  }
}

/** Connection and `<leaf> <instance>` of each. */
export function attachedOf(
  items: readonly unknown[],
): readonly Pick<Attachment, 'connection' | 'leaf'>[] {
  return tuplesOf(items, 2).map(([connection, attachment]) => {
    const [leaf] = textOf(attachment).split(' ')
    return { connection: textOf(connection), leaf: Number(leaf) }
  })
}

/** What the scripts that ask for offers take; nobody's where none are wanted. */
export function wantedArguments(wanted: OffersWanted | null): readonly RedisArgument[] {
  if (wanted === null) return ['', '', '']
  return [asLeafList(wanted.leaves), wanted.cipherSuite, wanted.validUntil]
}

/** What all the scripts that append to the log may answer. */
export function appendOutcome({ groupId }: GroupKey, reply: readonly unknown[]): AppendOutcome {
  const outcome = textOf(reply[0])
  switch (outcome) {
    case 'appended':
      return { outcome, seq: numberOf(reply[1]) }
    default:
      return appendFailure({ groupId }, reply)
  }
}

export function appendFailure(
  { groupId }: Pick<GroupKey, 'groupId'>,
  reply: readonly unknown[],
): AppendFailure {
  const outcome = textOf(reply[0])
  switch (outcome) {
    case 'epoch-mismatch': {
      const group = { groupId, epoch: numberOf(reply[1]), head: numberOf(reply[2]) }
      return { outcome, group }
    }
    case 'group-unknown':
      return { outcome }
    default:
      throw corrupted('an outcome of appending')
  }
}
