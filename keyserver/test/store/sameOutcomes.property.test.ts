import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { report, runsOr, seed } from '../../../core/test/campaign.ts'
import { memoryStore } from '../../src/store/memoryStore.ts'
import type { RedisConnection } from '../../src/store/redis/redisConnection.ts'
import { redisStore } from '../../src/store/redis/redisStore.ts'
import type { Store } from '../../src/store/store.ts'
import { connectTo } from '../support/redis.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'
import { StoreWalk, storeStep } from './storeSteps.ts'

const retainedBytes = 60

/** Compares what two stores answer to the same steps; the steps that were taken. */
async function compare(
  open: () => Store,
  { numRuns, maxLength }: { readonly numRuns: number; readonly maxLength: number },
): Promise<number> {
  let steps = 0
  await fc.assert(
    fc.asyncProperty(fc.array(storeStep, { maxLength, size: 'max' }), async (walk) => {
      const model = new StoreWalk(memoryStore({ retainedBytes }))
      const other = new StoreWalk(open())
      for (const step of [{ kind: 'found', group: 'a' } as const, ...walk]) {
        expect(await other.take(step), step.kind).toEqual(await model.take(step))
        steps += 1
      }
      expect(await other.look()).toEqual(await model.look())
    }),
    { seed, numRuns },
  )
  return steps
}

describe.skipIf(redisMissing)('Redis and memory', () => {
  let server: RedisServer
  let redis: RedisConnection
  beforeAll(async () => {
    server = await RedisServer.start()
    redis = await connectTo([server.url])
  })
  afterAll(async () => {
    await redis.close()
    await server.stop()
  })

  test('answer the same, whatever is asked of them', async (context) => {
    let stores = 0
    const open = () => {
      stores += 1
      return redisStore(redis, { retainedBytes, prefix: `walk-${stores}` })
    }
    const steps = await compare(open, { numRuns: runsOr(40), maxLength: 60 })
    report(context, { walks: stores, steps, seed })
  })
})

describe('the comparison', () => {
  const faults: Readonly<Record<string, (store: Store) => Partial<Store>>> = {
    'anybody withdraws who waits': (store) => ({
      withdrawWaiting: async (key, ref) => {
        const entries = await store.listWaiting(key, 0)
        const owner = entries.find((entry) => entry.ref[1] === ref[1])?.owner
        return await store.withdrawWaiting(key, ref, owner ?? '')
      },
    }),
    'a leaf is overdue a moment late': (store) => ({
      detach: (key, connection, dueAt) => store.detach(key, connection, dueAt + 1),
    }),
    'KeyPackages are forgotten': (store) => ({
      appendCommit: (key, commit) => store.appendCommit(key, { ...commit, refUntil: commit.now }),
    }),
    'a void brings nobody back': (store) => ({
      appendVoid: (key, entry) => store.appendVoid(key, { ...entry, removed: [] }),
    }),
    'a lease is never renewed': () => ({ renewLease: async () => true }),
    'the log is trimmed a byte late': () => memoryStore({ retainedBytes: retainedBytes + 1 }),
  }

  test.each(Object.entries(faults))('finds out that %s', async (_, plant) => {
    const faulty = () => {
      const store = memoryStore({ retainedBytes })
      return { ...store, ...plant(store) }
    }
    await expect(compare(faulty, { numRuns: 1000, maxLength: 60 })).rejects.toThrow(
      'Property failed',
    )
  })
})
