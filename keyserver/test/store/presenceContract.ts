import { utf8 } from '@conclave/core/codec'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import {
  adding,
  commit,
  key,
  minute,
  type OpenStore,
  openWithGroup,
  part,
  proposal,
  start,
  waiting,
} from './storeSamples.ts'

/** Who of a group is connected, overdue, going. */
export function describePresence(open: OpenStore): void {
  describe('presence', () => {
    const graceMs = 10_000
    const leaseUntil = start + minute
    let store: Store
    beforeEach(async () => {
      store = await openWithGroup(open, { added: [part('bob', 1), part('carol', 2)] })
    })
    const attach = (
      connection: string,
      leaf: number,
      { instance = 'one', dueAt = start + graceMs } = {},
    ) => store.attach(key, { connection, instance, leaf }, { dueAt, leaseUntil })
    const idleMs = 30 * minute
    const envelope = utf8('why')
    const view = (now = start) => store.readPresence(key, { now, graceMs, idleMs })

    test('who has never had a connection is overdue in the end', async () => {
      expect(await view()).toEqual({
        present: [],
        overdue: [],
        idle: [],
        leaving: [],
        requests: new Map(),
        nextDue: start + minute,
        expiresAt: start + 60 * minute,
      })
      expect(await view(start + minute)).toMatchObject({ overdue: [0, 1, 2], nextDue: null })
    })

    test('a connection speaks for one leaf', async () => {
      expect(await attach('a', 0)).toBe(true)
      expect(await attach('a', 0)).toBe(false)
      expect(await attach('b', 2)).toBe(true)
      expect(await view()).toMatchObject({ present: [0, 2], nextDue: start + minute })
      expect(await attach('a', 1, { dueAt: start + 5 })).toBe(true)
      expect(await view()).toMatchObject({ present: [1, 2], nextDue: start + 5 })
    })

    test('a leaf that nobody has is nobody to speak for', async () => {
      expect(await attach('a', 3)).toBe(false)
      expect(await view()).toMatchObject({ present: [] })
    })

    test('a leaf is overdue some time after its last connection', async () => {
      await attach('a', 1)
      await attach('b', 1)
      expect(await store.detach(key, 'a', start + 1)).toBe(true)
      expect(await store.detach(key, 'a', start + 2)).toBe(false)
      expect(await view()).toMatchObject({ present: [1] })
      expect(await store.detach(key, 'b', start + 3)).toBe(true)
      expect(await view()).toMatchObject({ present: [], overdue: [], nextDue: start + 3 })
      expect(await view(start + 3)).toMatchObject({ overdue: [1] })
      await attach('c', 1)
      expect(await view(start + 3)).toMatchObject({ present: [1], overdue: [] })
    })

    test('an instance whose lease is over has no connections', async () => {
      await attach('a', 0)
      await attach('b', 1, { instance: 'two' })
      await store.renewLease(key, 'two', start + 2 * minute)
      expect(await view(leaseUntil - 1)).toMatchObject({ present: [0, 1] })
      expect(await view(leaseUntil)).toMatchObject({
        present: [1],
        overdue: [2],
        nextDue: leaseUntil + graceMs,
      })
      expect(await view(leaseUntil + graceMs)).toMatchObject({ overdue: [0, 2] })
      await store.renewLease(key, 'one', start + 10 * minute)
      expect(await view(leaseUntil + graceMs)).toMatchObject({ present: [1] })
    })

    test('who was connected through instances that are gone has the grace period from when that is seen', async () => {
      await attach('a', 1, { instance: 'one' })
      await attach('b', 1, { instance: 'two' })
      expect(await store.renewLease(key, 'one', leaseUntil + 5)).toBe(true)
      const seen = start + 2 * minute
      expect(await view(seen)).toMatchObject({
        present: [],
        nextDue: seen + graceMs,
        overdue: [0, 2],
      })
      expect(await store.renewLease(key, 'one', seen + minute)).toBe(false)
      expect(await view(seen + graceMs)).toMatchObject({ overdue: [0, 1, 2] })
    })

    test('who is removed has no connection, is not overdue and not going', async () => {
      await attach('a', 1)
      await store.markLeaving(key, 1, envelope)
      await store.markLeaving(key, 2, envelope)
      await store.appendCommit(key, commit(1, { removed: [1, 2] }))
      expect(await view(start + minute)).toMatchObject({ present: [], overdue: [0], leaving: [] })
      expect(await store.detach(key, 'a', start)).toBe(false)
      expect(await attach('a', 1)).toBe(false)
    })

    test('whoever takes the leaf of somebody removed begins anew', async () => {
      await attach('a', 1)
      await store.markLeaving(key, 1, envelope)
      const dueAt = start + 2 * minute
      await store.appendCommit(key, { ...adding(1, part('dave', 1)), removed: [1], dueAt })
      expect(await view(start + minute)).toMatchObject({
        present: [],
        overdue: [0, 2],
        leaving: [],
        nextDue: dueAt,
      })
    })

    test('whoever has waited for its Add has longer to come than others', async () => {
      await store.addWaiting(key, waiting('dave'), { waiting: 8, now: start })
      const both = adding(1, part('dave', 3), part('erin', 4))
      const [dueAt, joinedBy] = [start + graceMs, start + 2 * graceMs]
      await store.appendCommit(key, { ...both, dueAt, joinedBy })
      await attach('a', 0)
      await attach('b', 1)
      await attach('c', 2)
      expect(await view(dueAt - 1)).toMatchObject({ overdue: [], nextDue: dueAt })
      expect(await view(dueAt)).toMatchObject({ overdue: [4], nextDue: joinedBy })
      expect(await view(joinedBy)).toMatchObject({ overdue: [3, 4] })
    })

    test('a leaf goes by its own proposal or by the word of somebody else', async () => {
      await store.appendProposal(key, { ...proposal(1, 'self-remove'), leaving: 2 })
      await store.markLeaving(key, 1, envelope)
      await store.markLeaving(key, 7, envelope)
      expect(await view()).toMatchObject({ leaving: [1, 2] })
      await attach('a', 1)
      await store.detach(key, 'a', start)
      expect(await view()).toMatchObject({ leaving: [1, 2] })
    })

    test('a proposal that is not appended makes nobody go', async () => {
      await store.appendProposal(key, { ...proposal(0, 'self-remove'), leaving: 2 })
      expect(await view()).toMatchObject({ leaving: [] })
    })

    test('what first asked for a removal is remembered until it is done', async () => {
      await store.appendProposal(key, { ...proposal(1, 'self-remove'), leaving: 2 })
      await store.markLeaving(key, 1, envelope)
      await store.markLeaving(key, 1, utf8('another'))
      await store.markLeaving(key, 2, envelope)
      expect(await view()).toMatchObject({ leaving: [1, 2], requests: new Map([[1, envelope]]) })
      await store.appendCommit(key, adding(1, part('dave', 1)))
      await store.appendCommit(key, { ...adding(2, part('erin', 1)), removed: [1] })
      expect(await view()).toMatchObject({ leaving: [2], requests: new Map() })
    })

    test('a leaf is idle some time after its Add or its last commit', async () => {
      const at = (minutes: number) => start + minutes * minute
      await attach('a', 0)
      await attach('b', 1)
      await store.appendCommit(key, commit(1, { committer: 1, now: at(10) }))
      expect(await view(at(30) - 1)).toMatchObject({ idle: [] })
      expect(await view(at(30))).toMatchObject({ idle: [0, 2] })
      expect(await view(at(40))).toMatchObject({ idle: [0, 1, 2] })
      await store.appendCommit(key, { ...adding(2, part('dave', 2)), removed: [2], now: at(40) })
      expect(await view(at(41))).toMatchObject({ idle: [1] })
    })

    test('whoever is removed is idle no more; whoever is back by a void counts from then', async () => {
      const at = (minutes: number) => start + minutes * minute
      await store.appendCommit(key, commit(1, { removed: [1, 2], now: at(20) }))
      expect(await view(at(50))).toMatchObject({ idle: [0] })
      const back = { added: [], removed: [2], now: at(21), dueAt: at(22) }
      await store.appendVoid(key, { epoch: 2, voided: 2, message: utf8('void'), ...back })
      expect(await view(at(51) - 1)).toMatchObject({ idle: [0] })
      expect(await view(at(51))).toMatchObject({ idle: [0, 2] })
    })

    test('nobody is in a meeting without this group', async () => {
      const elsewhere = { ...key, groupId: utf8('another') }
      const attachment = { connection: 'a', instance: 'one', leaf: 0 }
      const times = { dueAt: start, leaseUntil }
      expect(await store.attach(elsewhere, attachment, times)).toBe(false)
      expect(await store.detach(elsewhere, 'a', start)).toBe(false)
      expect(await store.readPresence(elsewhere, { now: start, graceMs, idleMs })).toBeUndefined()
      await store.markLeaving(elsewhere, 0, envelope)
      await store.renewLease(elsewhere, 'one', start)
      expect(await view()).toMatchObject({ present: [], leaving: [] })
    })
  })
}
