import { utf8 } from '@conclave/core/codec'
import { describe, expect, onTestFinished, test } from 'vitest'
import { redisStore } from '../../src/store/redis/redisStore.ts'
import { eventually } from '../support/eventually.ts'
import { connectForTest, connectTo, redisForTest } from '../support/redis.ts'
import { RedisCluster } from '../support/redisCluster.ts'
import { redisMissing } from '../support/redisServer.ts'
import {
  adding,
  commit,
  founding,
  key,
  minute,
  part,
  proposal,
  snapshot,
  start,
  waiting,
} from './storeSamples.ts'

const unreachable = { code: 'store-unreachable' }

describe.skipIf(redisMissing)('a Redis that could lose what it acknowledges', () => {
  test.each([
    ['appendonly', 'no'],
    ['appendfsync', 'everysec'],
    ['maxmemory-policy', 'allkeys-lru'],
  ])('is refused by name: %s %s', async (name, value) => {
    const { url } = await redisForTest({ [name]: value })
    await expect(connectTo([url])).rejects.toMatchObject({
      code: 'store-not-durable',
      message: expect.stringContaining(`${name} ${value}`),
      remedy: expect.stringContaining('--allow-lossy'),
    })
  })

  test('is taken where that is allowed, and says so', async () => {
    const { url } = await redisForTest({ appendonly: 'no' })
    const lossy = await connectForTest([url], { allowLossy: true })
    expect(redisStore(lossy).durable).toBe(false)
  })

  test('is one whose settings nobody may read', async () => {
    const { url } = await redisForTest({ 'rename-command': ['CONFIG', ''] })
    const refused = {
      code: 'store-not-durable',
      message: expect.stringContaining('cannot be read'),
    }
    await expect(connectTo([url])).rejects.toMatchObject(refused)
    const other = await redisForTest()
    await other.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-config')
    const asApp = `redis://app:secret@127.0.0.1:${other.port}`
    await expect(connectTo([asApp])).rejects.toMatchObject(refused)
  })

  test('is a cluster with one such node', async () => {
    const cluster = await RedisCluster.start()
    onTestFinished(() => cluster.stop())
    const durable = await connectForTest(cluster.urls)
    expect(durable.durable).toBe(true)
    await cluster.nodes[1]?.command('CONFIG', 'SET', 'appendfsync', 'everysec')
    await expect(connectTo(cluster.urls)).rejects.toMatchObject({ code: 'store-not-durable' })
  })
})

describe.skipIf(redisMissing)('the Redis store', () => {
  test('of several clients that race for an epoch lets one win', async () => {
    const { url } = await redisForTest()
    const stores = await Promise.all(
      Array.from({ length: 4 }, async () => redisStore(await connectForTest([url]))),
    )
    await stores[0]?.createGroup(founding())
    for (let epoch = 0; epoch < 25; epoch++) {
      const outcomes = await Promise.all(
        stores.map((store, i) =>
          store.appendCommit(
            key,
            commit(epoch, { committer: i, message: utf8(`${epoch} by ${i}`) }),
          ),
        ),
      )
      expect(outcomes.filter(({ outcome }) => outcome === 'appended')).toHaveLength(1)
      expect(outcomes.filter(({ outcome }) => outcome === 'epoch-mismatch')).toHaveLength(3)
    }
    const page = await stores[1]?.readLog(key, 0, 100)
    expect(page?.entries.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 25 }, (_, i) => i))
  })

  test('has all that it acknowledged when Redis was killed', async () => {
    const server = await redisForTest()
    const store = redisStore(await connectForTest([server.url]))
    await store.createGroup(founding())
    await store.appendCommit(key, adding(0, part('bob')))
    await store.addWaiting(key, waiting('carol'), { waiting: 5, now: start })
    const attachment = { connection: 'a', instance: 'one', leaf: 1 }
    await store.attach(key, attachment, { dueAt: start, leaseUntil: start + minute })
    const acknowledged: number[] = []
    let killed: Promise<void> | undefined
    for (let i = 0; ; i++) {
      if (i === 40) killed = server.kill()
      try {
        const outcome = await store.appendProposal(key, proposal(1, `proposal ${i}`))
        if (outcome.outcome === 'appended') acknowledged.push(outcome.seq)
      } catch (error) {
        expect(error).toMatchObject(unreachable)
        break
      }
    }
    await killed
    await server.restart()
    const page = await eventually('Redis', () => store.readLog(key, 0, 1000).catch(() => undefined))
    expect(page.entries.map(({ seq }) => seq)).toEqual(expect.arrayContaining(acknowledged))
    expect(acknowledged.length).toBeGreaterThanOrEqual(40)
    expect(page.entries.map(({ seq }) => seq)).toEqual(page.entries.map((_, i) => i + 1))
    expect(await store.readSnapshot(key)).toEqual({
      ...snapshot(1, '1'),
      groupInfo: utf8('info 1'),
    })
    expect(await store.listWaiting(key, start)).toEqual([waiting('carol')])
    expect(
      await store.readPresence(key, { now: start, graceMs: minute, idleMs: minute }),
    ).toMatchObject({
      present: [1],
    })
    expect(await store.listMeetings(null, 5)).toMatchObject({ meetingIds: ['standup'] })
  })

  test('fails with a code while Redis is gone, and works again when it is back', async () => {
    const server = await redisForTest()
    const store = redisStore(await connectForTest([server.url]))
    await store.createGroup(founding())
    await server.kill()
    await expect(store.appendProposal(key, proposal(0, 'a'))).rejects.toMatchObject(unreachable)
    await expect(store.check()).rejects.toMatchObject(unreachable)
    await server.restart()
    await eventually('Redis', () =>
      store.check().then(
        () => true,
        () => false,
      ),
    )
    expect(await store.appendProposal(key, proposal(0, 'b'))).toMatchObject({
      outcome: 'appended',
    })
  })

  test('waits for no answer that does not come', async () => {
    const server = await redisForTest()
    const store = redisStore(await connectForTest([server.url]))
    await store.createGroup(founding())
    server.freeze()
    onTestFinished(() => server.thaw())
    await expect(store.currentGroup('standup')).rejects.toMatchObject(unreachable)
    server.thaw()
    await eventually('Redis', () => store.currentGroup('standup').catch(() => undefined))
  })

  test('cannot be opened where there is no Redis, and says so', async () => {
    const server = await redisForTest()
    await server.kill()
    const refused = { ...unreachable, message: expect.stringContaining('ECONNREFUSED') }
    await expect(connectTo([server.url])).rejects.toMatchObject(refused)
    await expect(connectTo([server.url, server.url])).rejects.toMatchObject(unreachable)
  })

  test('cannot be opened with a wrong password, and does not tell it', async () => {
    const server = await redisForTest()
    await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all')
    const opened = connectTo([`redis://app:mistyped@127.0.0.1:${server.port}`])
    await expect(opened).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringContaining('WRONGPASS'),
    })
    await expect(opened).rejects.not.toMatchObject({
      message: expect.stringContaining('mistyped'),
    })
    const redis = await connectForTest([`redis://app:secret@127.0.0.1:${server.port}`])
    expect(redis.durable).toBe(true)
  })

  test('of a cluster works on with the nodes that are there, and with all when they are back', async () => {
    const settled = <T>(step: Promise<T>) =>
      step.then(
        () => true,
        (error: unknown) => error,
      )
    const cluster = await RedisCluster.start(3, { 'cluster-require-full-coverage': 'no' })
    onTestFinished(() => cluster.stop())
    const store = redisStore(await connectForTest(cluster.urls))
    const keys = Array.from({ length: 30 }, (_, i) => ({ ...key, meetingId: `meeting ${i}` }))
    for (const key of keys) await store.createGroup({ ...founding(), key })
    await cluster.nodes[2]?.kill()
    const outcomes = await Promise.all(
      keys.map((key) => settled(store.appendProposal(key, proposal(0, 'a')))),
    )
    const failures = outcomes.filter((outcome) => outcome !== true)
    expect(failures.length).toBeGreaterThan(0)
    expect(failures.length).toBeLessThan(keys.length)
    for (const failure of failures) expect(failure).toMatchObject(unreachable)
    await cluster.nodes[2]?.restart()
    for (const key of keys) {
      await eventually('the node', async () => {
        return (await settled(store.appendProposal(key, proposal(0, 'b')))) === true
      })
    }
  })

  test.each([
    ['is full', ['CONFIG', 'SET', 'maxmemory', '1']],
    ['is a replica', ['REPLICAOF', '127.0.0.1', '1']],
  ])('changes nothing where Redis %s', async (_, command) => {
    const server = await redisForTest({ 'replica-serve-stale-data': 'yes' })
    const store = redisStore(await connectForTest([server.url]))
    await store.createGroup(founding())
    await store.appendCommit(key, adding(0, part('bob')))
    await server.command(...command)
    const again = adding(1, part('carol', 2))
    await expect(store.appendCommit(key, again)).rejects.toMatchObject(unreachable)
    expect(await store.currentGroup('standup')).toMatchObject({ epoch: 1, head: 1 })
    expect(await store.readLog(key, 0, 10)).toMatchObject({ head: 1 })
  })

  test('takes what another version has stored for corrupted', async () => {
    const server = await redisForTest()
    const store = redisStore(await connectForTest([server.url]))
    await store.createGroup(founding())
    const group = 'conclave:{7374616e647570}:group'
    await server.command('HSET', group, 'epoch', 'many')
    const corrupted = { code: 'store-corrupted' }
    await expect(store.currentGroup('standup')).rejects.toMatchObject(corrupted)
    await server.command('SET', group, 'a text')
    await expect(store.currentGroup('standup')).rejects.toMatchObject(corrupted)
    await expect(store.readSnapshot(key)).rejects.toMatchObject(corrupted)
  })

  test('stores a tree once, and no longer than somebody needs it', async () => {
    const server = await redisForTest()
    const store = redisStore(await connectForTest([server.url]))
    const trees = () => server.command('HKEYS', 'conclave:{7374616e647570}:trees')
    await store.createGroup(founding())
    await store.appendCommit(key, adding(0, part('bob')))
    expect(await trees()).toEqual(['hash founding', 'hash 1'])
    const later = start + 10 * minute
    await store.listWaiting(key, later)
    expect(await trees()).toEqual(['hash founding', 'hash 1'])
    const undo = { message: utf8('void'), added: [1], removed: [], now: later, dueAt: later }
    await store.appendVoid(key, { ...undo, epoch: 1, voided: 1 })
    expect(await trees()).toEqual(['hash founding'])
    await store.appendCommit(key, adding(0, part('carol')))
    await store.appendCommit(key, { ...adding(1), now: later })
    await store.appendCommit(key, { ...adding(2), now: later })
    expect(await trees()).toEqual(['hash 2', 'hash 3'])
  })

  test('gives a page of large entries in parts', async () => {
    const server = await redisForTest()
    const store = redisStore(await connectForTest([server.url]))
    await store.createGroup(founding())
    const message = new Uint8Array(1_500_000)
    for (const text of ['a', 'b', 'c', 'd']) {
      await store.appendProposal(key, { ...proposal(0, text), message })
    }
    const read = async (after: number) => {
      const page = await store.readLog(key, after, 100)
      return page?.entries.map(({ seq }) => seq)
    }
    expect(await read(0)).toEqual([1, 2])
    expect(await read(2)).toEqual([3, 4])
    const one = new Uint8Array(5_000_000)
    await store.appendProposal(key, { ...proposal(0, 'e'), message: one })
    expect(await read(3)).toEqual([4])
    expect(await read(4)).toEqual([5])
  })

  test('keeps nothing of a group beyond an hour after its time', async () => {
    const server = await redisForTest()
    const store = redisStore(await connectForTest([server.url]))
    await store.createGroup(founding())
    const attachment = { connection: 'a', instance: 'one', leaf: 0 }
    await store.attach(key, attachment, { dueAt: start, leaseUntil: start + minute })
    await store.addWaiting(key, waiting('dave'), { waiting: 5, now: start })
    await store.markLeaving(key, 0, utf8('why'))
    await store.appendProposal(key, proposal(0, 'a'))
    await store.appendCommit(key, adding(0, part('bob')))
    await store.addStatus(key, 2, { leaf: 0, status: 'failed', signature: utf8('signature') })
    await store.renewLease(key, 'one', start + 2 * minute)
    const keys = (await server.command('KEYS', '*')) as readonly string[]
    expect(keys.length).toBeGreaterThan(20)
    for (const name of keys) {
      const left = Number(await server.command('PTTL', name))
      expect([name, left > 60 * minute && left <= 120 * minute]).toEqual([name, true])
    }
    await store.closeGroup(key)
    expect(await server.command('KEYS', '*')).toEqual([])
  })
})
