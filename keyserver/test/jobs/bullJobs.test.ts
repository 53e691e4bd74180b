import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@conclave/keyserver'
import { createClient, createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { RedisConnection } from '../../src/jobs/bullConnection.ts'
import { bullJobs } from '../../src/jobs/bullJobs.ts'
import type { JobOptions } from '../../src/jobs/jobs.ts'
import { eventually } from '../support/eventually.ts'
import { checkGroup, countOf, describeJobs, instance, webhook } from './jobsContract.ts'
import { RedisServer } from './localRedis.ts'

let server: RedisServer
let clusterNode: RedisServer

beforeAll(async () => {
  server = await RedisServer.start()
  clusterNode = await RedisServer.start({ cluster: true })
  const client = await createClient({ url: clusterNode.url }).connect()
  await client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383'])
  await eventually('the cluster', async () =>
    (await client.sendCommand(['CLUSTER', 'INFO']))?.toString().includes('cluster_state:ok'),
  )
  client.destroy()
})
afterAll(async () => {
  await server.stop()
  await clusterNode.stop()
})

let prefixes = 0

/** Instances that share a Redis, each test's apart from the others'. */
function harnessOn(redis: RedisConnection) {
  const prefix = `{conclave-jobs-${++prefixes}}`
  return {
    clock: systemClock,
    open: (options: JobOptions) => bullJobs({ redis, prefix, ...options }),
    until: eventually,
  }
}

describeJobs('jobs in Redis', async () => harnessOn(createClient({ url: server.url })))

describeJobs('jobs in a Redis Cluster', async () =>
  harnessOn(createCluster({ rootNodes: [{ url: clusterNode.url }] })),
)

describe('jobs of several instances', () => {
  test('each job runs on one of them, the sweep too', async () => {
    const harness = harnessOn(createClient({ url: server.url }))
    const instances = [
      await instance(harness, undefined, { sweepEveryMs: 500 }),
      await instance(harness, undefined, { sweepEveryMs: 500 }),
      await instance(harness, undefined, { sweepEveryMs: 500 }),
    ]
    const start = systemClock.now()
    const slot = Math.ceil((start + 1_500) / 250) * 250
    const groups = Array.from({ length: 20 }, (_, index) => `${index}`)
    for (const { jobs } of instances) {
      for (const group of groups) await jobs.schedule(checkGroup(group), slot)
    }
    await eventually('all', () =>
      groups.every((group) => countOf(instances, `check-group ${group}`) === 1),
    )
    await instances[0]?.jobs.schedule(checkGroup('end'), systemClock.now() + 500)
    await eventually('the end', () => countOf(instances, 'check-group end') === 1)
    for (const group of groups) expect(countOf(instances, `check-group ${group}`)).toBe(1)
    const sweeps = instances
      .flatMap(({ begun }) => begun)
      .filter(({ what }) => what === 'sweep-directory')
      .map(({ at }) => at)
      .sort((a, b) => a - b)
    expect(sweeps.length).toBeGreaterThan(2)
    expect(sweeps.length).toBeLessThanOrEqual(2 + (systemClock.now() - start) / 500)
  })

  test('what a killed instance had taken up, another ends', async () => {
    const program = fileURLToPath(new URL('hangingInstance.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=conclave:source', program, server.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const said: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => said.push(line))
    await eventually('the other process', () => said.includes('started'))

    const redis = createClient({ url: server.url })
    const open = (options: JobOptions) => bullJobs({ redis, ...options })
    const idle = open({
      clock: systemClock,
      logger: (await import('pino')).pino({ level: 'silent' }),
    })
    onTestFinished(() => idle.close())
    await idle.schedule(checkGroup(), 0)
    await idle.schedule(webhook('msg_1'), 0)
    await eventually('both jobs taken', () => said.filter((line) => line === 'taken').length === 2)
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited

    const one = await instance({ clock: systemClock, open })
    await eventually('the first', () => countOf([one], 'check-group aa') === 1)
    await eventually('the second', () => countOf([one], 'webhook msg_1') === 1)
    await eventually('the reports', () => one.runs.length === 2)
    expect(one.runs.map(({ attempt }) => attempt)).toEqual([2, 2])
  })

  test('what was scheduled is there after Redis was killed, and later work too', async () => {
    const own = await RedisServer.start()
    onTestFinished(() => own.stop())
    const one = await instance(harnessOn(createClient({ url: own.url })))
    await one.jobs.schedule(checkGroup('before'), systemClock.now() + 2_000)
    await own.kill()
    await expect(one.jobs.schedule(checkGroup('meanwhile'), 0)).rejects.toMatchObject({
      code: 'store-unreachable',
    })
    await expect(one.jobs.deadLetters.list(1)).rejects.toMatchObject({ code: 'store-unreachable' })
    await own.restart()
    await eventually('the earlier job', () => countOf([one], 'check-group before') === 1)
    await eventually('a later one', async () => {
      await one.jobs.schedule(checkGroup('after'), 0).catch(() => {})
      return countOf([one], 'check-group after') > 0
    })
  })

  test('closing ends without Redis', async () => {
    const own = await RedisServer.start()
    onTestFinished(() => own.stop())
    const one = await instance(harnessOn(createClient({ url: own.url })))
    await own.kill()
    await one.jobs.close()
  })

  test('starting without Redis fails with a code', async () => {
    const own = await RedisServer.start()
    await own.stop()
    await expect(instance(harnessOn(createClient({ url: own.url })))).rejects.toMatchObject({
      code: 'store-unreachable',
    })
  })

  test('finished jobs leave nothing behind in Redis but the next sweep, bounded streams and counters', async () => {
    const redis = createClient({ url: server.url })
    const harness = harnessOn(redis)
    const one = await instance(harness)
    for (let n = 0; n < 50; n++) {
      await one.jobs.schedule(checkGroup(`${n}`), 0)
      await one.jobs.schedule(webhook(`msg_${n}`), 0)
    }
    await eventually('all', () => one.runs.length === 100)
    const client = await redis.duplicate().connect()
    onTestFinished(() => client.destroy())
    const left = await eventually('their end', async () => {
      const keys = await client.keys(`{conclave-jobs-${prefixes}}*`)
      return keys.length < 20 && keys
    })
    expect(left.filter((key) => /check-group|msg_/.test(key))).toEqual([])
  })
})
