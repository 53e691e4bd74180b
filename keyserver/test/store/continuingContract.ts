import { utf8 } from '@conclave/core/codec'
import { beforeEach, describe, expect, test } from 'vitest'
import type {
  GroupContinuation,
  GroupKey,
  Offer,
  OffersWanted,
  Store,
} from '../../src/store/store.ts'
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
  waiting,
} from './storeSamples.ts'

const next: GroupKey = { ...key, groupId: utf8('the next group 1') }
const times = { now: start, graceMs: 10_000, idleMs: 30 * minute }
const wanted: OffersWanted = { leaves: [0, 1], cipherSuite: 3, validUntil: start + minute }

function offer(leaf: number, changes: Partial<Offer> = {}): Offer {
  return {
    leaf,
    keyPackage: utf8(`offer of ${leaf}`),
    cipherSuite: 3,
    until: start + minute,
    keys: [utf8(`signs for ${leaf}`), utf8(`encrypts to ${leaf}`)],
    ...changes,
  }
}

function continuation(changes: Partial<GroupContinuation> = {}): GroupContinuation {
  return {
    epoch: 2,
    head: 2,
    groupId: next.groupId,
    firstEpoch: 1,
    snapshot: snapshot(0, 'next'),
    leaves: [
      { before: 1, after: 0, envelope: utf8('removed') },
      { before: 0, after: 1, envelope: Uint8Array.of(0, 0xff) },
    ],
    parts: [part('alice again', 1)],
    now: start,
    dueAt: start + minute,
    joinedBy: start + 2 * minute,
    treeUntil: start + minute,
    welcomeUntil: start + 5 * minute,
    refUntil: start + 45 * minute,
    pastUntil: start + 5 * minute,
    ...changes,
  }
}

/** Offers for the group that continues another, and how it takes its place. */
export function describeContinuing(open: OpenStore): void {
  let store: Store
  beforeEach(async () => {
    store = await openWithGroup(open, { added: [part('bob')] })
  })
  const put = (one: Offer, options: { epoch?: number; final?: boolean } = {}) =>
    store.putOffer(key, options.epoch ?? 1, one, { wanted, final: options.final ?? false })
  const speak = (at: GroupKey, connection: string, leaf: number) => {
    const speaking = { dueAt: start + 5, leaseUntil: start + 60 * minute }
    return store.attach(at, { connection, instance: 'one', leaf }, speaking)
  }
  const reinitialise = async () => {
    await put(offer(0))
    await put(offer(1))
    return await store.appendCommit(key, commit(1, { after: 1, offers: wanted }))
  }

  describe('offers', () => {
    test('are one for each leaf, the latest', async () => {
      expect(await store.readOffers(key, [0])).toBeUndefined()
      expect(await put(offer(1))).toEqual({ outcome: 'offered', missing: [0] })
      expect(await put(offer(0))).toEqual({ outcome: 'offered', missing: [] })
      const keyPackage = utf8('second thought')
      expect(await put(offer(1, { keyPackage }))).toEqual({ outcome: 'offered', missing: [] })
      expect(await store.readOffers(key, [0, 1])).toEqual([utf8('offer of 0'), keyPackage])
      expect(await store.readOffers(key, [1, 0])).toEqual([keyPackage, utf8('offer of 0')])
    })

    test('count for their suite, and while they are valid for long enough', async () => {
      await put(offer(0, { cipherSuite: 1 }))
      await put(offer(1, { until: start + minute - 1 }))
      expect(await store.missingOffers(key, wanted)).toEqual([0, 1])
      const both = { ...wanted, validUntil: start }
      expect(await store.missingOffers(key, both)).toEqual([0])
      expect(await store.missingOffers(key, { ...both, cipherSuite: 1 })).toEqual([1])
    })

    test('have no key that another has; the own may be offered again', async () => {
      await put(offer(0))
      const copied = offer(1, { keys: [utf8('signs for 1'), utf8('encrypts to 0')] })
      expect(await put(copied)).toEqual({ outcome: 'key-taken' })
      expect(await store.missingOffers(key, wanted)).toEqual([1])
      expect(await put(offer(0))).toMatchObject({ outcome: 'offered' })
      await put(offer(0, { keys: [utf8('other keys')] }))
      expect(await put(copied)).toMatchObject({ outcome: 'offered' })
    })

    test('are of an epoch that is there', async () => {
      const mismatch = { outcome: 'epoch-mismatch', group: { epoch: 1, head: 1 } }
      expect(await put(offer(0), { epoch: 0 })).toMatchObject(mismatch)
      const elsewhere = await store.putOffer(next, 1, offer(0), { wanted, final: false })
      expect(elsewhere).toEqual({ outcome: 'group-unknown' })
      expect(await store.missingOffers(next, wanted)).toBeUndefined()
      expect(await store.readOffers(next, [])).toBeUndefined()
    })

    test('that are wanted stay, once they are final; what is missing may still come', async () => {
      await put(offer(0))
      const other = offer(0, { keyPackage: utf8('second thought') })
      expect(await put(other, { final: true })).toEqual({ outcome: 'offered-before' })
      expect(await put(offer(0), { final: true })).toEqual({ outcome: 'offered', missing: [1] })
      expect(await put(offer(1), { final: true })).toEqual({ outcome: 'offered', missing: [] })
      await put(offer(0, { cipherSuite: 1 }))
      expect(await put(other, { final: true })).toMatchObject({ outcome: 'offered' })
    })

    test('outlast an epoch, and are gone with their member', async () => {
      await put(offer(0))
      await put(offer(1))
      await store.appendCommit(key, commit(1, { after: 1 }))
      expect(await store.missingOffers(key, wanted)).toEqual([])
      await store.appendCommit(key, commit(2, { after: 2, removed: [1], added: [1] }))
      expect(await store.missingOffers(key, wanted)).toEqual([1])
      expect(await put(offer(0, { keys: offer(1).keys }), { epoch: 3 })).toMatchObject({
        outcome: 'offered',
      })
    })
  })

  describe('a commit that reinitialises a group', () => {
    test('names who has no offer, and changes nothing', async () => {
      await put(offer(1))
      const unready = commit(1, { after: 1, offers: wanted })
      expect(await store.appendCommit(key, unready)).toEqual({
        outcome: 'offers-missing',
        leaves: [0],
      })
      expect(await store.currentGroup('standup')).toMatchObject({ epoch: 1, head: 1 })
    })

    test('is refused where anything has come that it did not see', async () => {
      await store.appendProposal(key, proposal(1, 'a removal'))
      expect(await reinitialise()).toMatchObject({ outcome: 'epoch-mismatch' })
    })

    test('is appended when all have offered', async () => {
      expect(await reinitialise()).toMatchObject({ outcome: 'appended', seq: 2 })
    })
  })

  describe('a continuation', () => {
    beforeEach(async () => {
      await reinitialise()
    })

    test('gives the meeting its next group, with what that begins with', async () => {
      expect(await store.continueGroup(key, continuation())).toMatchObject({ outcome: 'continued' })
      expect(await store.currentGroup('standup')).toEqual({
        groupId: next.groupId,
        epoch: 1,
        head: 0,
      })
      expect(await store.readSnapshot(next)).toEqual(snapshot(0, 'next'))
      expect(await store.readGroupInfo(next)).toEqual({ groupInfo: utf8('info next'), seq: 0 })
      expect(await store.readTree(next, utf8('hash next'), start)).toEqual(utf8('tree next'))
      expect(await store.findWelcome(next, utf8('alice again'), start)).toEqual({
        part: part('alice again', 1),
        seq: 0,
      })
      expect(await store.listMeetings(null, 5)).toMatchObject({ meetingIds: ['standup'] })
      expect(await store.appendCommit(next, commit(1))).toMatchObject({ seq: 1 })
      expect(await store.readGroupInfo(next)).toEqual({ groupInfo: utf8('info 2'), seq: 1 })
      const undo = { voided: 1, added: [], removed: [], now: start, dueAt: start }
      await store.appendVoid(next, { ...undo, epoch: 2, message: utf8('void') })
      expect(await store.readGroupInfo(next)).toEqual({ groupInfo: utf8('info next'), seq: 0 })
    })

    test('keeps its tree for as long as a Welcome waits', async () => {
      await store.continueGroup(key, continuation())
      const tree = (now: number) => store.readTree(next, utf8('hash next'), now)
      await store.appendCommit(next, adding(1, part('carol', 2)))
      await store.appendCommit(next, adding(2, part('dave', 3)))
      expect(await tree(start + 2 * minute)).toEqual(utf8('tree next'))
      await store.dropWelcome(next, 1)
      expect(await tree(start + 2 * minute)).toBeUndefined()
    })

    test('has the offers used up', async () => {
      await store.continueGroup(key, continuation())
      const limits = { waiting: 5, now: start }
      expect(await store.addWaiting(next, waiting('alice again'), limits)).toMatchObject({
        outcome: 'welcomed',
      })
      await store.dropWelcome(next, 1)
      expect(await store.addWaiting(next, waiting('alice again'), limits)).toEqual({
        outcome: 'used',
      })
    })

    test('tells who was there, and gives those longer who were', async () => {
      await speak(key, 'a', 0)
      await speak(key, 'b', 1)
      await speak(key, 'b too', 1)
      await store.detach(key, 'a', start)
      const continued = await store.continueGroup(key, continuation())
      if (continued.outcome !== 'continued') throw new Error(continued.outcome)
      const attached = continued.attached.toSorted((a, b) => (a.connection < b.connection ? -1 : 1))
      expect(attached).toEqual([
        { connection: 'b', leaf: 1 },
        { connection: 'b too', leaf: 1 },
      ])
      const seen = (now: number) => store.readPresence(next, { ...times, now })
      expect(await seen(start)).toMatchObject({ present: [], overdue: [], idle: [] })
      expect(await seen(start + minute)).toMatchObject({ overdue: [1] })
      expect(await seen(start + 2 * minute)).toMatchObject({ overdue: [0, 1] })
      expect(await speak(next, 'a', 1)).toBe(true)
      expect(await speak(next, 'c', 2)).toBe(false)
    })

    test('lets the meeting last no longer, and who was going goes', async () => {
      await store.markLeaving(key, 0, utf8('by the word of another, signed in this group'))
      await store.continueGroup(key, continuation())
      expect(await store.readPresence(next, times)).toMatchObject({
        leaving: [1],
        requests: new Map([[1, Uint8Array.of(0, 0xff)]]),
        expiresAt: founding().expiresAt,
      })
    })

    test('takes everything else of the group before away', async () => {
      await store.addWaiting(key, waiting('dave'), { waiting: 5, now: start })
      await store.continueGroup(key, continuation())
      expect(await store.listWaiting(next, start)).toEqual([])
      expect(await store.missingOffers(next, wanted)).toEqual([0, 1])
      expect(await store.findWelcome(next, utf8('bob'), start)).toBeUndefined()
      expect(await store.readLog(key, 0, 10)).toBeUndefined()
      expect(await store.readLog(next, 0, 10)).toEqual({ entries: [], head: 0, trimmed: 0 })
      expect(await store.closeGroup(key)).toBe(false)
    })

    test('is of one epoch and log’s end alone, and happens once', async () => {
      const mismatch = { outcome: 'epoch-mismatch', group: { epoch: 2, head: 2 } }
      expect(await store.continueGroup(key, continuation({ epoch: 1 }))).toMatchObject(mismatch)
      expect(await store.continueGroup(key, continuation({ head: 1 }))).toMatchObject(mismatch)
      const founders = ['x', 'y', 'z'].map((name) =>
        store.continueGroup(key, continuation({ snapshot: snapshot(0, name) })),
      )
      const outcomes = (await Promise.all(founders)).map(({ outcome }) => outcome)
      expect(outcomes.sort()).toEqual(['continued', 'group-unknown', 'group-unknown'])
    })

    test('shows from which groups the meeting has come', async () => {
      expect(await store.continuationOf(key)).toBeUndefined()
      await store.continueGroup(key, continuation())
      const current = { groupId: next.groupId, epoch: 1, head: 0 }
      expect(await store.continuationOf(key)).toEqual(current)
      const third = { ...key, groupId: utf8('the third group!') }
      const again = continuation({ groupId: third.groupId, epoch: 1, head: 0 })
      await store.continueGroup(next, again)
      for (const past of [key, next]) {
        expect(await store.continuationOf(past)).toMatchObject({ groupId: third.groupId })
      }
      expect(await store.continuationOf(third)).toBeUndefined()
      await store.closeGroup(third)
      expect(await store.continuationOf(key)).toBeUndefined()
    })

    test('is known by what it was founded with', async () => {
      await store.continueGroup(key, continuation())
      expect(await store.isFoundedBy(next, utf8('info next'))).toBe(true)
      expect(await store.isFoundedBy(next, utf8('info other'))).toBe(false)
      expect(await store.isFoundedBy(key, utf8('info founding'))).toBe(false)
      await store.closeGroup(next)
      expect(await store.isFoundedBy(next, utf8('info next'))).toBe(false)
    })

    test('leaves the log that has ended for those who have missed its end', async () => {
      const past = (now = start) => store.readPastEntries(key, 1, 10, now)
      expect(await past()).toBeUndefined()
      await store.continueGroup(key, continuation())
      expect(await past()).toEqual({
        entries: [{ seq: 2, message: utf8('commit 1') }],
        head: 2,
        trimmed: 0,
      })
      expect(await store.readPastEntries(next, 0, 10, start)).toBeUndefined()
      expect(await past(start + 5 * minute)).toBeUndefined()
      await store.continueGroup(next, continuation({ groupId: utf8('third'), epoch: 1, head: 0 }))
      expect(await past()).toBeUndefined()
      expect(await store.readPastEntries(next, 0, 10, start)).toMatchObject({ head: 0 })
    })
  })
}
