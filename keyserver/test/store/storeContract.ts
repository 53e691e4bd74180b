import { type Bytes, utf8 } from '@conclave/core/codec'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type {
  CommitAppend,
  GroupKey,
  Snapshot,
  Store,
  WaitingEntry,
  WelcomePart,
} from '../../src/store/store.ts'

const start = 1_700_000_000_000
const minute = 60_000
const key: GroupKey = { meetingId: 'standup', groupId: utf8('group-0123456789') }

function snapshot(seq = 0, name = 'founding'): Snapshot {
  return {
    seq,
    groupInfo: utf8(`info ${name}`),
    ratchetTree: utf8(`tree ${name}`),
    treeHash: utf8(`hash ${name}`),
    overdue: [],
  }
}

function proposal(epoch: number, text: string) {
  return { epoch, message: utf8(text), now: start }
}

function commit(epoch: number, changes: Partial<CommitAppend> = {}): CommitAppend {
  return {
    epoch,
    message: utf8(`commit ${epoch}`),
    groupInfo: utf8(`info ${epoch + 1}`),
    welcome: null,
    parts: [],
    removed: [],
    snapshot: null,
    now: start,
    treeUntil: start + minute,
    welcomeUntil: start + 5 * minute,
    refUntil: start + 45 * minute,
    ...changes,
  }
}

function adding(epoch: number, ...parts: readonly WelcomePart[]): CommitAppend {
  const { groupInfo: _, seq: __, ...tree } = snapshot(0, `${epoch + 1}`)
  return commit(epoch, { parts, welcome: utf8('welcome to all'), snapshot: tree })
}

function part(name: string, leafIndex = 1): WelcomePart {
  return { ref: utf8(name), leafIndex, welcome: utf8(`welcome ${name}`) }
}

function waiting(name: string, owner = 'connection', expiresAt = start + minute): WaitingEntry {
  return { ref: utf8(name), keyPackage: utf8(`key package ${name}`), owner, expiresAt }
}

/** What every store keeps to, whatever it keeps things in. */
export function describeStore(
  name: string,
  makeStore: (options: { readonly retainedBytes?: number }) => Promise<Store>,
): void {
  describe(name, () => {
    let store: Store
    const open = async (options = {}) => {
      const made = await makeStore(options)
      onTestFinished(() => made.close())
      return made
    }
    const found = (at: Store = store, founding = snapshot()) =>
      at.createGroup({ key, snapshot: founding, now: start })
    const messages = async (after = 0, limit = 100, at: Store = store) => {
      const page = await at.readLog(key, after, limit)
      return page?.entries.map(({ seq, message }) => [seq, new TextDecoder().decode(message)])
    }

    beforeEach(async () => {
      store = await makeStore({})
      return () => store.close()
    })

    describe('creating', () => {
      test('a meeting without a group has none', async () => {
        expect(await store.currentGroup('standup')).toBeNull()
        expect(await store.readLog(key, 0, 10)).toBeUndefined()
        expect(await store.readSnapshot(key)).toBeUndefined()
      })

      test('of several who create at once exactly one does', async () => {
        const outcomes = await Promise.all(
          ['a', 'b', 'c', 'd'].map((id) =>
            store.createGroup({
              key: { meetingId: 'standup', groupId: utf8(id) },
              snapshot: snapshot(0, id),
              now: start,
            }),
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
        await found()
        expect(await found()).toMatchObject({ outcome: 'exists', same: true })
        const other = await found(store, snapshot(0, 'other'))
        expect(other).toMatchObject({ outcome: 'exists', same: false })
      })

      test('a group is found under its own meeting alone', async () => {
        await found()
        const elsewhere = { ...key, meetingId: 'retro' }
        expect(await store.appendProposal(elsewhere, proposal(0, 'x'))).toEqual({
          outcome: 'group-unknown',
        })
        expect(await store.readLog(elsewhere, 0, 10)).toBeUndefined()
      })

      test('a closed group is forgotten and another can take its place', async () => {
        await found()
        await store.appendProposal(key, proposal(0, 'x'))
        expect(await store.closeGroup(key)).toBe(true)
        expect(await store.closeGroup(key)).toBe(false)
        expect(await store.appendProposal(key, proposal(0, 'y'))).toEqual({
          outcome: 'group-unknown',
        })
        const next = { meetingId: 'standup', groupId: utf8('another') }
        const founding = { key: next, snapshot: snapshot(), now: start }
        expect(await store.createGroup(founding)).toEqual({ outcome: 'created' })
        expect(await store.currentGroup('standup')).toEqual({
          groupId: next.groupId,
          epoch: 0,
          head: 0,
        })
      })
    })

    describe('appending', () => {
      beforeEach(async () => {
        await found()
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
          ['a', 'b', 'c'].map((text) =>
            store.appendCommit(key, commit(0, { message: utf8(text) })),
          ),
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
      })

      test('an entry says of which epoch and time it is, and what a commit came with', async () => {
        const welcome = utf8('welcome to all')
        await store.appendCommit(key, adding(0, part('bob')))
        const page = await store.readLog(key, 0, 1)
        expect(page?.entries[0]).toMatchObject({
          epoch: 0,
          at: start,
          commit: { groupInfo: utf8('info 1'), welcome },
        })
      })
    })

    describe('snapshots and trimming', () => {
      test('the newest snapshot is the founding or that of the latest commit with one', async () => {
        await found()
        expect(await store.readSnapshot(key)).toEqual(snapshot())
        await store.appendCommit(key, commit(0))
        expect(await store.readSnapshot(key)).toMatchObject({ seq: 0 })
        await store.appendCommit(key, adding(1, part('bob')))
        expect(await store.readSnapshot(key)).toEqual({
          ...snapshot(2, '2'),
          groupInfo: utf8('info 2'),
        })
      })

      test('a long log is trimmed, but never beyond the snapshot', async () => {
        const small = await open({ retainedBytes: 50 })
        await found(small)
        const long = utf8('x'.repeat(60))
        await small.appendCommit(key, commit(0, { message: long }))
        await small.appendCommit(key, commit(1, { message: long }))
        expect(await small.readLog(key, 0, 10)).toMatchObject({ trimmed: 0, head: 2 })
        await small.appendCommit(key, adding(2, part('bob')))
        const page = await small.readLog(key, 2, 10)
        expect(page).toMatchObject({ trimmed: 2, head: 3, entries: [{ seq: 3 }] })
        expect(await small.findCommit(key, 1)).toBeUndefined()
        expect(await small.findCommit(key, 2)).toMatchObject({ seq: 3 })
        expect(await small.appendProposal(key, proposal(3, 'on'))).toMatchObject({ seq: 4 })
      })
    })

    describe('waiting', () => {
      const limits = { waiting: 2, now: start }
      beforeEach(async () => {
        await found()
      })
      const names = async (now = start) =>
        (await store.listWaiting(key, now)).map(({ ref }) => new TextDecoder().decode(ref))

      test('joiners keep their places, once for each KeyPackageRef', async () => {
        expect(await store.addWaiting(key, waiting('bob'), limits)).toEqual({
          outcome: 'waiting',
          position: 0,
        })
        expect(await store.addWaiting(key, waiting('carol'), limits)).toMatchObject({ position: 1 })
        expect(await store.addWaiting(key, waiting('bob', 'other'), limits)).toMatchObject({
          position: 0,
        })
        expect(await names()).toEqual(['bob', 'carol'])
      })

      test('a full list takes no more, but still knows who is on it', async () => {
        await store.addWaiting(key, waiting('bob'), limits)
        await store.addWaiting(key, waiting('carol'), limits)
        expect(await store.addWaiting(key, waiting('dave'), limits)).toEqual({ outcome: 'full' })
        expect(await store.addWaiting(key, waiting('carol'), limits)).toMatchObject({ position: 1 })
      })

      test('who has waited too long is dropped and makes room', async () => {
        await store.addWaiting(key, waiting('bob'), limits)
        await store.addWaiting(key, waiting('carol', 'c', start + 2 * minute), limits)
        expect(await names(start + minute)).toEqual(['carol'])
        const later = { ...limits, now: start + minute }
        expect(
          await store.addWaiting(key, waiting('dave', 'd', start + 3 * minute), later),
        ).toEqual({
          outcome: 'waiting',
          position: 1,
        })
      })

      test('only its owner withdraws an entry', async () => {
        await store.addWaiting(key, waiting('bob', 'first'), limits)
        await store.addWaiting(key, waiting('bob', 'second'), limits)
        expect(await store.withdrawWaiting(key, utf8('bob'), 'first')).toBe(false)
        expect(await names()).toEqual(['bob'])
        expect(await store.withdrawWaiting(key, utf8('bob'), 'second')).toBe(true)
        expect(await names()).toEqual([])
      })

      test('whoever a commit does not add goes on waiting', async () => {
        await store.addWaiting(key, waiting('bob', 'b'), limits)
        await store.addWaiting(key, waiting('carol'), limits)
        const appended = await store.appendCommit(key, adding(0, part('bob')))
        expect(appended).toMatchObject({ admitted: [{ ref: utf8('bob'), owner: 'b' }] })
        expect(await names()).toEqual(['carol'])
      })

      test('nobody waits in a meeting without this group', async () => {
        const elsewhere = { ...key, groupId: utf8('another') }
        expect(await store.addWaiting(elsewhere, waiting('bob'), limits)).toEqual({
          outcome: 'group-unknown',
        })
        expect(await store.listWaiting(elsewhere, start)).toEqual([])
      })
    })

    describe('welcomes and trees', () => {
      const limits = { waiting: 10, now: start }
      const hash = utf8('hash 1')
      const askAgain = (name: string, now = start) =>
        store.addWaiting(key, waiting(name, 'again', now + minute), { ...limits, now })
      beforeEach(async () => {
        await found()
        await store.appendCommit(key, adding(0, part('bob', 1), part('carol', 2)))
      })

      test('whoever was added finds its own part of the Welcome', async () => {
        expect(await askAgain('carol')).toEqual({
          outcome: 'welcomed',
          part: part('carol', 2),
          seq: 1,
        })
      })

      test('a KeyPackage is used once, also when its Welcome is gone', async () => {
        const gone = start + 5 * minute
        expect(await askAgain('bob', gone)).toEqual({ outcome: 'used' })
        const again = { ...adding(1, part('bob', 3)), now: gone }
        expect(await store.appendCommit(key, again)).toEqual({ outcome: 'ref-used' })
        expect(await store.currentGroup('standup')).toMatchObject({ epoch: 1, head: 1 })
        expect(await askAgain('bob', start + 45 * minute)).toMatchObject({ outcome: 'waiting' })
      })

      test('a Welcome is dropped once its leaf has been seen', async () => {
        await store.dropWelcome(key, 1)
        expect(await askAgain('bob')).toEqual({ outcome: 'used' })
        expect(await askAgain('carol')).toMatchObject({ outcome: 'welcomed' })
      })

      test('a Welcome is dropped when its leaf is removed, not the one of who comes next', async () => {
        const next = { ...adding(1, part('dave', 1)), removed: [1] }
        await store.appendCommit(key, next)
        expect(await askAgain('bob')).toEqual({ outcome: 'used' })
        expect(await askAgain('dave')).toMatchObject({ outcome: 'welcomed' })
      })

      test('the tree is kept for its time, and for as long as a Welcome waits', async () => {
        const read = (now: number): Promise<Bytes | undefined> => store.readTree(key, hash, now)
        expect(await read(start + minute)).toEqual(utf8('tree 1'))
        expect(await read(start + 5 * minute - 1)).toEqual(utf8('tree 1'))
        expect(await read(start + 5 * minute)).toBeUndefined()
      })

      test('without a Welcome that waits the tree is kept for its time alone', async () => {
        await store.dropWelcome(key, 1)
        await store.dropWelcome(key, 2)
        expect(await store.readTree(key, hash, start + minute - 1)).toEqual(utf8('tree 1'))
        expect(await store.readTree(key, hash, start + minute)).toBeUndefined()
        expect(await store.readTree(key, utf8('no such tree'), start)).toBeUndefined()
      })
    })
  })
}
