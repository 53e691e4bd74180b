import { utf8 } from '@conclave/core/codec'
import { beforeEach, describe, expect, test } from 'vitest'
import type {
  LogRecord,
  ReturnedAppend,
  Store,
  StoredStatus,
  VoidAppend,
} from '../../src/store/store.ts'
import {
  adding,
  commit,
  key,
  minute,
  type OpenStore,
  openWithGroup,
  part,
  proposal,
  snapshot,
  start,
  waiting,
} from './storeSamples.ts'

const graceMs = 10_000
const idleMs = 30 * minute

function undoing(changes: Partial<VoidAppend> = {}): VoidAppend {
  return {
    epoch: 1,
    voided: 1,
    message: utf8('void'),
    added: [1],
    removed: [],
    now: start,
    dueAt: start + minute,
    ...changes,
  }
}

function word(leaf: number, status: StoredStatus['status'], text = 'signature'): StoredStatus {
  return { leaf, status, signature: utf8(`${text} of ${leaf}`) }
}

/** Statuses, commits that are undone, entries that are given back. */
export function describeUndoing(open: OpenStore): void {
  let store: Store
  beforeEach(async () => {
    store = await openWithGroup(open)
  })
  const byLeaf = (statuses: readonly StoredStatus[] | undefined) =>
    statuses?.toSorted((a, b) => a.leaf - b.leaf)

  describe('statuses', () => {
    test('are kept of the commit at the log’s end, the first of each leaf', async () => {
      await store.appendCommit(key, commit(0))
      const first = word(3, 'failed')
      expect(await store.addStatus(key, 1, first)).toEqual([first])
      expect(await store.addStatus(key, 1, word(3, 'applied', 'second thought'))).toEqual([first])
      const other = word(0, 'applied', 'a blank and a zero \0')
      expect(byLeaf(await store.addStatus(key, 1, other))).toEqual([other, first])
    })

    test('are not taken of anything else', async () => {
      expect(await store.addStatus(key, 0, word(0, 'failed'))).toBeUndefined()
      await store.appendProposal(key, proposal(0, 'a'))
      expect(await store.addStatus(key, 1, word(0, 'failed'))).toBeUndefined()
      await store.appendCommit(key, commit(0))
      expect(await store.addStatus(key, 1, word(0, 'failed'))).toBeUndefined()
      expect(await store.addStatus(key, 3, word(0, 'failed'))).toBeUndefined()
    })

    test('are forgotten when the log goes on', async () => {
      await store.appendCommit(key, commit(0))
      await store.addStatus(key, 1, word(0, 'failed'))
      await store.appendProposal(key, proposal(1, 'a'))
      expect(await store.addStatus(key, 1, word(1, 'failed'))).toBeUndefined()
      await store.appendCommit(key, commit(1))
      expect(await store.addStatus(key, 3, word(1, 'failed'))).toEqual([word(1, 'failed')])
    })
  })

  describe('a void', () => {
    test('brings back the epoch before, and another commit can end it', async () => {
      await store.appendCommit(key, adding(0, part('bob')))
      expect(await store.appendVoid(key, undoing())).toEqual({ outcome: 'appended', seq: 2 })
      expect(await store.currentGroup('standup')).toMatchObject({ epoch: 0, head: 2 })
      expect(await store.findCommit(key, 0)).toBeUndefined()
      const page = await store.readLog(key, 1, 1)
      expect(page?.entries).toEqual([
        { seq: 2, kind: 'void', epoch: 1, at: start, message: utf8('void') },
      ])
      expect(await store.appendCommit(key, commit(0))).toMatchObject({ seq: 3 })
      expect(await store.findCommit(key, 0)).toMatchObject({ seq: 3 })
      expect(await store.readGroupInfo(key)).toEqual({ groupInfo: utf8('info 1'), seq: 3 })
    })

    test('whose commit is trimmed does not take the one in its place along', async () => {
      const small = await openWithGroup(open, { added: [part('bob')], retainedBytes: 60 })
      await small.appendVoid(key, undoing())
      await small.appendCommit(key, adding(0, part('carol')))
      await small.appendCommit(key, adding(1, part('dave', 2)))
      expect(await small.readLog(key, 3, 10)).toMatchObject({ trimmed: 1, head: 4 })
      expect(await small.findCommit(key, 0)).toMatchObject({ seq: 3 })
    })

    test('takes back what the commit had stored; its KeyPackages stay used', async () => {
      await store.appendCommit(key, adding(0, part('bob')))
      await store.appendVoid(key, undoing())
      expect(await store.readSnapshot(key)).toEqual(snapshot())
      expect(await store.readGroupInfo(key)).toEqual({ groupInfo: utf8('info founding'), seq: 0 })
      expect(await store.readTree(key, utf8('hash 1'), start)).toBeUndefined()
      expect(await store.findWelcome(key, utf8('bob'), start)).toBeUndefined()
      const limits = { waiting: 5, now: start }
      expect(await store.addWaiting(key, waiting('bob'), limits)).toEqual({ outcome: 'used' })
      const again = adding(0, part('bob'))
      expect(await store.appendCommit(key, again)).toEqual({ outcome: 'ref-used' })
    })

    test('keeps what earlier commits had stored', async () => {
      await store.appendCommit(key, adding(0, part('bob')))
      await store.appendCommit(key, adding(1, part('carol', 2)))
      await store.appendVoid(key, undoing({ epoch: 2, voided: 2, added: [2] }))
      expect(await store.readSnapshot(key)).toEqual({
        ...snapshot(1, '1'),
        groupInfo: utf8('info 1'),
      })
      expect(await store.readTree(key, utf8('hash 1'), start)).toEqual(utf8('tree 1'))
      expect(await store.findWelcome(key, utf8('bob'), start)).toMatchObject({ seq: 1 })
    })

    test('of a commit without a snapshot leaves the snapshots alone', async () => {
      await store.appendCommit(key, adding(0, part('bob')))
      await store.appendCommit(key, commit(1))
      await store.appendVoid(key, undoing({ epoch: 2, voided: 2, added: [] }))
      expect(await store.readSnapshot(key)).toMatchObject({ seq: 1 })
      expect(await store.readGroupInfo(key)).toEqual({ groupInfo: utf8('info 1'), seq: 1 })
    })

    test('takes away whom the commit had added, and brings back whom it had removed', async () => {
      await store.appendCommit(key, adding(0, part('bob')))
      await store.appendCommit(key, { ...adding(1, part('carol', 2)), removed: [1] })
      const dueAt = start + 5
      await store.appendVoid(key, undoing({ epoch: 2, voided: 2, added: [2], removed: [1], dueAt }))
      const attach = (connection: string, leaf: number) =>
        store.attach(key, { connection, instance: 'one', leaf }, { dueAt, leaseUntil: dueAt })
      expect(await store.readPresence(key, { now: start, graceMs, idleMs })).toMatchObject({
        nextDue: dueAt,
      })
      expect(await attach('c', 2)).toBe(false)
      expect(await attach('b', 1)).toBe(true)
    })

    test('is refused unless the commit is the log’s end', async () => {
      await store.appendCommit(key, adding(0, part('bob')))
      await store.appendProposal(key, proposal(1, 'a'))
      const mismatch = { outcome: 'epoch-mismatch', group: { epoch: 1, head: 2 } }
      expect(await store.appendVoid(key, undoing())).toMatchObject(mismatch)
      expect(await store.appendVoid(key, undoing({ epoch: 2, voided: 2 }))).toMatchObject(mismatch)
      const elsewhere = { ...key, groupId: utf8('another') }
      expect(await store.appendVoid(elsewhere, undoing())).toEqual({ outcome: 'group-unknown' })
      expect(await store.readSnapshot(key)).toMatchObject({ seq: 1 })
    })

    test('is appended once', async () => {
      await store.appendCommit(key, adding(0, part('bob')))
      const outcomes = await Promise.all([1, 2, 3].map(() => store.appendVoid(key, undoing())))
      expect(outcomes.filter(({ outcome }) => outcome === 'appended')).toHaveLength(1)
    })

    test('forgets the statuses', async () => {
      await store.appendCommit(key, adding(0, part('bob')))
      await store.addStatus(key, 1, word(0, 'failed'))
      await store.appendVoid(key, undoing())
      expect(await store.addStatus(key, 2, word(0, 'failed'))).toBeUndefined()
    })
  })

  describe('entries that are given back', () => {
    const record = (
      seq: number,
      kind: LogRecord['kind'],
      epoch: number,
      upload?: LogRecord['upload'],
    ): LogRecord => ({
      seq,
      kind,
      epoch,
      at: start,
      message: utf8(`${kind} ${seq}`),
      ...(upload !== undefined && { upload }),
    })
    const returned = (changes: Partial<ReturnedAppend> = {}): ReturnedAppend => ({
      head: 1,
      epoch: 0,
      records: [
        record(2, 'commit', 0),
        record(3, 'void', 1),
        record(4, 'commit', 0, { groupInfo: utf8('info back'), welcome: null }),
        record(5, 'proposal', 1),
      ],
      snapshot: { ...snapshot(5, 'back'), overdue: [4, 11] },
      epochAfter: 1,
      committers: [4, 0],
      added: [4],
      removed: [0],
      now: start,
      dueAt: start + minute,
      ...changes,
    })
    beforeEach(async () => {
      await store.appendProposal(key, proposal(0, 'a'))
    })

    test('go on from the log’s end', async () => {
      expect(await store.appendReturned(key, returned())).toEqual({ outcome: 'appended', seq: 5 })
      expect(await store.currentGroup('standup')).toMatchObject({ epoch: 1, head: 5 })
      const page = await store.readLog(key, 1, 10)
      expect(page?.entries).toEqual(returned().records)
      expect(await store.findCommit(key, 0)).toMatchObject({ seq: 4 })
      expect(await store.readSnapshot(key)).toEqual(snapshot())
      await store.appendProposal(key, proposal(1, 'on'))
      expect(await store.readSnapshot(key)).toEqual(returned().snapshot)
      expect(await store.readPresence(key, { now: start + minute, graceMs, idleMs })).toMatchObject(
        {
          overdue: [4],
        },
      )
    })

    test('are refused where the log has gone on', async () => {
      const mismatch = { outcome: 'epoch-mismatch', group: { epoch: 0, head: 1 } }
      expect(await store.appendReturned(key, returned({ head: 0 }))).toMatchObject(mismatch)
      expect(await store.appendReturned(key, returned({ epoch: 1 }))).toMatchObject(mismatch)
      expect(await store.readSnapshot(key)).toEqual(snapshot())
    })

    test('are appended once', async () => {
      const outcomes = await Promise.all([1, 2, 3].map(() => store.appendReturned(key, returned())))
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual([
        'appended',
        'epoch-mismatch',
        'epoch-mismatch',
      ])
    })
  })
}
