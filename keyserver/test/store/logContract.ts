import { toHex, utf8 } from '@conclave/core/codec'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import {
  adding,
  commit,
  founding,
  key,
  minute,
  type OpenStore,
  openWithGroup,
  part,
  proposal,
  snapshot,
  start,
} from './storeSamples.ts'

/** Creating a group, appending to its log, snapshots. */
export function describeLog(open: OpenStore): void {
  let store: Store
  const messages = async (after = 0, limit = 100) => {
    const page = await store.readLog(key, after, limit)
    return page?.entries.map(({ seq, message }) => [seq, new TextDecoder().decode(message)])
  }

  describe('creating', () => {
    beforeEach(async () => {
      store = await open()
    })

    test('a meeting without a group has none', async () => {
      expect(await store.currentGroup('standup')).toBeNull()
      expect(await store.readLog(key, 0, 10)).toBeUndefined()
      expect(await store.readSnapshot(key)).toBeUndefined()
      expect(await store.readGroupInfo(key)).toBeUndefined()
    })

    test('of several who create at once exactly one does', async () => {
      const outcomes = await Promise.all(
        ['a', 'b', 'c', 'd'].map((id) =>
          store.createGroup({ ...founding(id), key: { ...key, groupId: utf8(id) } }),
        ),
      )
      expect(outcomes.filter(({ outcome }) => outcome === 'created')).toHaveLength(1)
      const winner = await store.currentGroup('standup')
      for (const outcome of outcomes) {
        if (outcome.outcome === 'exists') {
          expect(outcome).toMatchObject({ same: false, group: winner })
        }
      }
    })

    test('creating the same group again says so', async () => {
      await store.createGroup(founding())
      expect(await store.createGroup(founding())).toMatchObject({ outcome: 'exists', same: true })
      const other = await store.createGroup(founding('other'))
      expect(other).toMatchObject({ outcome: 'exists', same: false })
    })

    test('a group is found under its own meeting alone', async () => {
      await store.createGroup(founding())
      const elsewhere = { ...key, meetingId: 'retro' }
      expect(await store.appendProposal(elsewhere, proposal(0, 'x'))).toEqual({
        outcome: 'group-unknown',
      })
      expect(await store.readLog(elsewhere, 0, 10)).toBeUndefined()
    })

    test('a closed group is forgotten and another can take its place', async () => {
      await store.createGroup(founding())
      await store.appendProposal(key, proposal(0, 'x'))
      expect(await store.closeGroup(key)).toBe(true)
      expect(await store.closeGroup(key)).toBe(false)
      expect(await store.appendProposal(key, proposal(0, 'y'))).toEqual({
        outcome: 'group-unknown',
      })
      const next = { meetingId: 'standup', groupId: utf8('another') }
      expect(await store.createGroup({ ...founding(), key: next })).toEqual({ outcome: 'created' })
      expect(await store.currentGroup('standup')).toEqual({
        groupId: next.groupId,
        epoch: 0,
        head: 0,
      })
    })

    test('meetings with a group are listed, page by page', async () => {
      const ids = ['b', '{a}', 'c:d', 'ü e', '\u0000'].map((id) => `meeting ${id}`)
      for (const meetingId of ids) {
        await store.createGroup({ ...founding(), key: { ...key, meetingId } })
      }
      await store.closeGroup({ ...key, meetingId: 'meeting b' })
      const listed: string[] = []
      let cursor: string | null = null
      do {
        const page = await store.listMeetings(cursor, 2)
        expect(page.meetingIds.length).toBeLessThanOrEqual(2)
        listed.push(...page.meetingIds)
        cursor = page.cursor
      } while (cursor !== null)
      expect(listed.sort()).toEqual(ids.filter((id) => id !== 'meeting b').sort())
    })

    test('a meeting with a group after another is listed once', async () => {
      await store.createGroup(founding())
      await store.closeGroup(key)
      await store.createGroup({ ...founding(), key: { ...key, groupId: utf8('another') } })
      expect(await store.listMeetings(null, 10)).toEqual({ meetingIds: ['standup'], cursor: null })
    })

    test('the first value proposed is agreed on', async () => {
      const proposed = ['a', 'b', 'c'].map(utf8)
      const agreed = await Promise.all(proposed.map((value) => store.agree('removal-key', value)))
      expect(new Set(agreed.map(toHex)).size).toBe(1)
      expect(proposed).toContainEqual(agreed[0])
      expect(await store.agree('removal-key', utf8('d'))).toEqual(agreed[0])
    })

    test('it says whether it can be reached', async () => {
      await expect(store.check()).resolves.toBeUndefined()
    })
  })

  describe('appending', () => {
    beforeEach(async () => {
      store = await openWithGroup(open)
    })

    test('entries are numbered from 1 without gaps, and commits advance the epoch', async () => {
      expect(await store.appendProposal(key, proposal(0, 'a'))).toEqual({
        outcome: 'appended',
        seq: 1,
      })
      expect(await store.appendCommit(key, commit(0))).toMatchObject({
        outcome: 'appended',
        seq: 2,
      })
      expect(await store.appendProposal(key, proposal(1, 'b'))).toMatchObject({ seq: 3 })
      expect(await store.currentGroup('standup')).toMatchObject({ epoch: 1, head: 3 })
      expect(await messages()).toEqual([
        [1, 'a'],
        [2, 'commit 0'],
        [3, 'b'],
      ])
    })

    test('of several commits of one epoch exactly one is appended', async () => {
      const outcomes = await Promise.all(
        ['a', 'b', 'c'].map((text) => store.appendCommit(key, commit(0, { message: utf8(text) }))),
      )
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual([
        'appended',
        'epoch-mismatch',
        'epoch-mismatch',
      ])
      expect(outcomes.find(({ outcome }) => outcome === 'epoch-mismatch')).toMatchObject({
        group: { epoch: 1, head: 1 },
      })
      expect(await messages()).toHaveLength(1)
    })

    test.each([0, 2])('in epoch 1 nothing of epoch %i is appended', async (epoch) => {
      await store.appendCommit(key, commit(0))
      const mismatch = { outcome: 'epoch-mismatch', group: { epoch: 1, head: 1 } }
      expect(await store.appendCommit(key, commit(epoch))).toMatchObject(mismatch)
      expect(await store.appendProposal(key, proposal(epoch, 'x'))).toMatchObject(mismatch)
    })

    test('the commit that ended an epoch can be found', async () => {
      await store.appendProposal(key, proposal(0, 'a'))
      await store.appendCommit(key, commit(0))
      expect(await store.findCommit(key, 0)).toMatchObject({
        seq: 2,
        message: utf8('commit 0'),
      })
      expect(await store.findCommit(key, 1)).toBeUndefined()
    })

    test('pages follow each other', async () => {
      for (const text of ['a', 'b', 'c']) await store.appendProposal(key, proposal(0, text))
      expect(await messages(0, 2)).toEqual([
        [1, 'a'],
        [2, 'b'],
      ])
      expect(await messages(2, 2)).toEqual([[3, 'c']])
      expect(await messages(3, 2)).toEqual([])
      for (const [after, limit] of [
        [0, 2],
        [2, 2],
        [3, 2],
      ] as const) {
        const page = await store.readLog(key, after, limit)
        const entries = page?.entries.map(({ seq, message }) => ({ seq, message }))
        expect(await store.readEntries(key, after, limit)).toEqual({ ...page, entries })
      }
      for (const after of [2 ** 31, 2 ** 47, Number.MAX_SAFE_INTEGER]) {
        expect(await store.readLog(key, after, 2)).toEqual({ entries: [], head: 3, trimmed: 0 })
      }
    })

    test('an entry says of which epoch and time it is, and what a commit came with', async () => {
      const welcome = utf8('welcome to all')
      await store.appendCommit(key, adding(0, part('bob')))
      const page = await store.readLog(key, 0, 1)
      expect(page?.entries[0]).toMatchObject({
        epoch: 0,
        at: start,
        kind: 'commit',
        upload: { groupInfo: utf8('info 1'), welcome },
      })
    })

    test('a commit that was verified after an entry that the log has not is refused', async () => {
      await store.appendProposal(key, proposal(0, 'kept'))
      const mismatch = { outcome: 'epoch-mismatch', group: { epoch: 0, head: 1 } }
      expect(await store.appendCommit(key, commit(0, { after: 2 }))).toMatchObject(mismatch)
      expect(await messages()).toEqual([[1, 'kept']])
      expect(await store.appendCommit(key, commit(0, { after: 1 }))).toMatchObject({ seq: 2 })
    })

    test('a leaf commits so often in a time, and no more', async () => {
      const rate = { commits: 2, perMs: minute }
      const by = (committer: number, epoch: number, now: number) =>
        store.appendCommit(key, commit(epoch, { committer, rate, now }))
      expect(await by(0, 0, start)).toMatchObject({ seq: 1 })
      expect(await by(0, 1, start + 1)).toMatchObject({ seq: 2 })
      expect(await by(0, 2, start + 2)).toEqual({ outcome: 'too-often' })
      expect(await store.currentGroup('standup')).toMatchObject({ epoch: 2, head: 2 })
      expect(await by(1, 2, start + 3)).toMatchObject({ seq: 3 })
      expect(await by(0, 3, start + minute - 1)).toEqual({ outcome: 'too-often' })
      expect(await by(0, 3, start + minute)).toMatchObject({ seq: 4 })
      expect(await by(0, 4, start + minute)).toEqual({ outcome: 'too-often' })
    })

    test('who takes the place of its own leaf commits no more often by that', async () => {
      const rate = { commits: 2, perMs: minute }
      const rejoin = (epoch: number) =>
        store.appendCommit(key, commit(epoch, { committer: 0, added: [0], removed: [0], rate }))
      expect(await rejoin(0)).toMatchObject({ seq: 1 })
      expect(await rejoin(1)).toMatchObject({ seq: 2 })
      expect(await rejoin(2)).toEqual({ outcome: 'too-often' })
    })
  })

  describe('snapshots and trimming', () => {
    beforeEach(async () => {
      store = await openWithGroup(open)
    })

    test('the newest snapshot is the founding or that of the latest commit that cannot be undone', async () => {
      expect(await store.readSnapshot(key)).toEqual(snapshot())
      await store.appendCommit(key, commit(0))
      expect(await store.readSnapshot(key)).toMatchObject({ seq: 0 })
      await store.appendCommit(key, adding(1, part('bob')))
      expect(await store.readSnapshot(key)).toEqual(snapshot())
      await store.appendProposal(key, proposal(2, 'on'))
      expect(await store.readSnapshot(key)).toEqual({
        ...snapshot(2, '2'),
        groupInfo: utf8('info 2'),
      })
    })

    test('a long log is trimmed, but never beyond the snapshot before the newest', async () => {
      const small = await openWithGroup(open, { retainedBytes: 50 })
      const long = utf8('x'.repeat(60))
      await small.appendCommit(key, commit(0, { message: long }))
      await small.appendCommit(key, { ...adding(1, part('bob')), message: long })
      await small.appendCommit(key, commit(2, { message: long }))
      expect(await small.readLog(key, 0, 10)).toMatchObject({ trimmed: 0, head: 3 })
      await small.appendCommit(key, adding(3, part('carol', 2)))
      const page = await small.readLog(key, 2, 10)
      expect(page).toMatchObject({ trimmed: 2, head: 4, entries: [{ seq: 3 }, { seq: 4 }] })
      const { entries } = (await small.readEntries(key, 0, 10)) ?? {}
      expect(entries).toMatchObject([{ seq: 3 }, { seq: 4 }])
      expect(await small.findCommit(key, 1)).toBeUndefined()
      expect(await small.findCommit(key, 2)).toMatchObject({ seq: 3 })
      expect(await small.appendProposal(key, proposal(4, 'on'))).toMatchObject({ seq: 5 })
    })

    test('a short log is not trimmed', async () => {
      for (const epoch of [0, 1, 2]) {
        await store.appendCommit(key, adding(epoch, part(`joiner ${epoch}`, epoch + 1)))
      }
      expect(await store.readLog(key, 0, 10)).toMatchObject({ trimmed: 0, head: 3 })
    })

    test('the newest GroupInfo came with the last commit, or founded the group', async () => {
      expect(await store.readGroupInfo(key)).toEqual({ groupInfo: utf8('info founding'), seq: 0 })
      await store.appendProposal(key, proposal(0, 'a'))
      await store.appendCommit(key, commit(0))
      await store.appendProposal(key, proposal(1, 'b'))
      expect(await store.readGroupInfo(key)).toEqual({ groupInfo: utf8('info 1'), seq: 2 })
      await store.appendCommit(key, adding(1, part('bob')))
      expect(await store.readGroupInfo(key)).toEqual({ groupInfo: utf8('info 2'), seq: 4 })
    })
  })
}
