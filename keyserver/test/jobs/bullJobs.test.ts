import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@conclave/keyserver'
import { createClient, createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { RedisClient } from '../../src/jobs/bullConnection.ts'
import { bullJobs } from '../../src/jobs/bullJobs.ts'
import type { JobOptions } from '../../src/jobs/jobs.ts'
import { eventually } from '../support/eventually.ts'
import { redisForTest, silentLogger } from '../support/redis.ts'
import { RedisCluster } from '../support/redisCluster.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'
import { checkGroup, countOf, describeJobs, instance, webhook } from './jobsContract.ts'

let server: RedisServer
let cluster: RedisCluster

beforeAll(async () => {
  if (redisMissing) return
  server = await RedisServer.start()
  cluster = await RedisCluster.start()
})
afterAll(async () => {
  await server?.stop()
  await cluster?.stop()
})

const settings = { pingInterval: 2_000, socket: { socketTimeout: 6_000 } }
const clientOf = ({ url }: RedisServer) => createClient({ url, ...settings })
const clientOfCluster = () =>
  createCluster({ rootNodes: cluster.urls.map((url) => ({ url })), defaults: settings })

let prefixes = 0

/** Instances that share a Redis, each test's apart from the others'. */
function harnessOn(redis: RedisClient) {
  const prefix = `{conclave-jobs-${++prefixes}}`
  return {
    clock: systemClock,
    open: (options: JobOptions) => bullJobs({ redis, prefix, ...options }),
    until: eventually,
  }
}

describe.skipIf(redisMissing)('with a Redis', () => {
  describeJobs('jobs in Redis', async () => harnessOn(clientOf(server)))
  describeJobs('jobs in a Redis Cluster', async () => harnessOn(clientOfCluster()))
})

describe.skipIf(redisMissing)('jobs of several instances', () => {
  test('each job runs on one of them, the sweep too', async () => {
    const harness = harnessOn(clientOf(server))
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

    const redis = clientOf(server)
    const open = (options: JobOptions) => bullJobs({ redis, ...options })
    const idle = open({ clock: systemClock, logger: silentLogger })
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
    const own = await redisForTest()
    const one = await instance(harnessOn(clientOf(own)))
    await one.jobs.schedule(checkGroup('before'), systemClock.now() + 2_000)
    await own.kill()
    await expect(one.jobs.schedule(checkGroup('meanwhile'), 0)).rejects.toMatchObject({
      code: 'store-unreachable',
    })
    await expect(one.jobs.deadLetters.list(1)).rejects.toMatchObject({ code: 'store-unreachable' })
    await own.restart()
    await eventually('a later job and the earlier one', async () => {
      await one.jobs.schedule(checkGroup('after'), 0).catch(() => {})
      return ['before', 'after'].every((id) => countOf([one], `check-group ${id}`) > 0)
    })
  })

  test('a Redis that hangs costs a code, not a wait, and what it took is done when it goes on', async () => {
    const own = await redisForTest()
    const one = await instance(harnessOn(clientOf(own)))
    own.freeze()
    await expect(one.jobs.schedule(checkGroup(), 0)).rejects.toMatchObject({
      code: 'store-unreachable',
    })
    own.thaw()
    await eventually('the job', () => countOf([one], 'check-group aa') > 0)
  })

  test('waiting for what is due later keeps its connection', async () => {
    const one = await instance(harnessOn(clientOf(server)))
    await one.jobs.schedule(checkGroup(), systemClock.now() + 9_500)
    await eventually('the job', () => countOf([one], 'check-group aa') > 0)
    expect(one.log).toEqual([])
  })

  test('closing ends without Redis', async () => {
    const own = await redisForTest()
    const one = await instance(harnessOn(clientOf(own)))
    await own.kill()
    await one.jobs.close()
  })

  test('starting without Redis fails with a code', async () => {
    const own = await redisForTest()
    await own.kill()
    await expect(instance(harnessOn(clientOf(own)))).rejects.toMatchObject({
      code: 'store-unreachable',
    })
  })

  test('finished jobs leave nothing behind in Redis but the next sweep, bounded streams and counters', async () => {
    const redis = clientOf(server)
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
