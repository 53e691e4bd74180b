import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DirectoryStore } from '../../src/directory/directory.ts'
import { memoryDirectory } from '../../src/directory/memoryDirectory.ts'
import { redisDirectory } from '../../src/directory/redis/redisDirectory.ts'
import { systemClock } from '../../src/edge/systemRuntime.ts'
import { connectRedis } from '../../src/store/redis/connectRedis.ts'
import type { RedisConnection } from '../../src/store/redis/redisConnection.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'
import {
  devices,
  isSingleUse,
  limits,
  minutes,
  type Operation,
  operation,
  perform,
  rate,
  start,
} from './directoryOperations.ts'

const operations = fc.array(operation, { minLength: 20, maxLength: 100, size: 'max' })
type Claimed = readonly {
  readonly ref: string
  readonly live: boolean
  readonly deviceKey: string
}[]

/**
 * Performs batches of operations, those of a batch at the same time by different clients, and
 * checks what must hold whatever their order was.
 */
async function checkInvariants(
  clients: readonly DirectoryStore[],
  batches: readonly (readonly Operation[])[],
): Promise<void> {
  const handedOut = new Set<string>()
  const claimTimes = new Map<string, number[]>()
  let now = start
  for (const batch of batches) {
    const waits = batch.flatMap((step) => (step.kind === 'wait' ? [step.minutes] : []))
    await Promise.all(
      batch.map(async (step, i) => {
        const client = clients[i % clients.length]
        if (step.kind === 'wait' || client === undefined) return
        const outcome = await perform(client, step, now)
        if (step.kind !== 'claim' || outcome === undefined) return
        const claimed = outcome as Claimed
        const pair = `${step.claimer} ${step.identity}`
        if (claimed.length > 0) claimTimes.set(pair, [...(claimTimes.get(pair) ?? []), now])
        expect(claimed.length).toBeLessThanOrEqual(limits.devicesPerIdentity)
        expect(new Set(claimed.map(({ deviceKey }) => deviceKey)).size).toBe(claimed.length)
        for (const { ref, live } of claimed) {
          expect(live).toBe(true)
          if (!isSingleUse(ref)) continue
          expect(handedOut).not.toContain(ref)
          handedOut.add(ref)
        }
      }),
    )
    const [first] = clients
    for (const device of devices) {
      const { remaining } = (await first?.stock(device, now)) ?? { remaining: 0 }
      expect(remaining).toBeLessThanOrEqual(limits.keyPackagesPerDevice)
      const mail = (await first?.mailbox(device, now)) ?? []
      expect(mail.length).toBeLessThanOrEqual(limits.mailPerDevice)
    }
    for (const times of claimTimes.values()) {
      const lately = times.filter((at) => at > now - rate.perMs)
      expect(lately.length).toBeLessThanOrEqual(rate.claims)
    }
    now += minutes(waits.reduce((sum, wait) => sum + wait, 0))
  }
}

test('in memory, no KeyPackage is handed out twice and every limit holds', async () => {
  await fc.assert(
    fc.asyncProperty(operations, async (steps) => {
      await checkInvariants(
        [memoryDirectory()],
        steps.map((step) => [step]),
      )
    }),
    { numRuns: 100 },
  )
})

test('a directory that forgets whom it gave a KeyPackage is found out', async () => {
  const property = fc.asyncProperty(operations, async (steps) => {
    const store = memoryDirectory()
    const forgetful: DirectoryStore = {
      ...store,
      async claim(identity, claimer, now) {
        const claimed = await store.claim(identity, claimer, now)
        for (const { deviceKey, stock: _, ...keyPackage } of claimed ?? []) {
          const device = { identity, deviceKey }
          await store.forget(identity, deviceKey)
          await store.publish(device, { keyPackages: [keyPackage], lastResort: null }, limits, now)
        }
        return claimed
      },
    }
    await checkInvariants(
      [forgetful],
      steps.map((step) => [step]),
    )
  })
  expect(await fc.check(property, { numRuns: 100 })).toMatchObject({ failed: true })
})

describe.skipIf(redisMissing)('in Redis', () => {
  let server: RedisServer
  let connections: readonly RedisConnection[]
  let directories = 0
  beforeAll(async () => {
    server = await RedisServer.start({ appendonly: 'no' })
    const connect = () =>
      connectRedis({
        urls: [server.url],
        allowLossy: true,
        clock: systemClock,
        logger: pino({ level: 'silent' }),
      })
    connections = await Promise.all([connect(), connect(), connect()])
  })
  afterAll(async () => {
    for (const connection of connections) await connection.close()
    await server.stop()
  })

  test('everything comes out as in memory', async () => {
    await fc.assert(
      fc.asyncProperty(operations, async (steps) => {
        const [connection] = connections
        if (connection === undefined) throw new Error('no connection')
        directories += 1
        const redis = redisDirectory(connection, { prefix: `test-${directories}` })
        const model = memoryDirectory()
        let now = start
        for (const step of steps) {
          if (step.kind === 'wait') now += minutes(step.minutes)
          else expect(await perform(redis, step, now)).toEqual(await perform(model, step, now))
        }
      }),
      { numRuns: 60 },
    )
  })

  test('no KeyPackage is handed out twice by racing clients, and every limit holds', async () => {
    const batches = fc.array(fc.array(operation, { minLength: 3, maxLength: 12 }), {
      minLength: 3,
      maxLength: 10,
    })
    await fc.assert(
      fc.asyncProperty(batches, async (steps) => {
        directories += 1
        const prefix = `test-${directories}`
        const clients = connections.map((connection) => redisDirectory(connection, { prefix }))
        await checkInvariants(clients, steps)
      }),
      { numRuns: 40 },
    )
  })
})
