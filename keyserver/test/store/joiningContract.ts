import { type Bytes, utf8 } from '@conclave/core/codec'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import {
  adding,
  key,
  minute,
  type OpenStore,
  openWithGroup,
  part,
  start,
  waiting,
} from './storeSamples.ts'

/** Waiting, Welcomes and trees. */
export function describeJoining(open: OpenStore): void {
  let store: Store
  beforeEach(async () => {
    store = await openWithGroup(open)
  })

  describe('waiting', () => {
    const limits = { waiting: 2, now: start }
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
      expect(await store.addWaiting(key, waiting('dave', 'd', start + 3 * minute), later)).toEqual({
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

    test('nobody takes the place of somebody else', async () => {
      await store.addWaiting(key, waiting('bob', 'first'), limits)
      const taken = waiting('bob', 'second', undefined, 'mallory')
      expect(await store.addWaiting(key, taken, limits)).toEqual({ outcome: 'used' })
      expect(await store.withdrawWaiting(key, utf8('bob'), 'second')).toBe(false)
      expect(await store.listWaiting(key, start)).toEqual([waiting('bob', 'first')])
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

    test('a joiner finds its Welcome by its KeyPackageRef until it has expired', async () => {
      const find = (name: string, now: number) => store.findWelcome(key, utf8(name), now)
      expect(await find('bob', start)).toEqual({ part: part('bob', 1), seq: 1 })
      expect(await find('dave', start)).toBeUndefined()
      expect(await find('bob', start + 5 * minute)).toBeUndefined()
    })
  })
}
