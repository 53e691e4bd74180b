import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/edge/systemRuntime.ts'
import { redisFanout } from '../../src/store/redis/fanout.ts'
import { eventually } from '../support/eventually.ts'
import { connectForTest, redisForTest, silentLogger } from '../support/redis.ts'
import { RedisCluster } from '../support/redisCluster.ts'
import { redisMissing } from '../support/redisServer.ts'

/** A socket.io server over Redis, and a client of it that keeps what it hears. */
async function startServer(urls: readonly string[]) {
  const redis = await connectForTest(urls)
  const fanout = await redisFanout(redis, { clock: systemClock, logger: silentLogger })
  onTestFinished(() => fanout.close())
  const httpServer = createServer()
  const server = new Server(httpServer, { adapter: fanout.adapter })
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  onTestFinished(() => server.close())
  const { port } = httpServer.address() as AddressInfo
  const heard: unknown[] = []
  const client = io(`http://127.0.0.1:${port}`, { transports: ['websocket'] })
  client.on('entry', (entry) => heard.push(entry))
  onTestFinished(() => {
    client.close()
  })
  await eventually('the client', () => client.connected)
  return { server, heard }
}

async function hears(heard: readonly unknown[], what: unknown): Promise<void> {
  await eventually(`hearing ${String(what)}`, () => heard.some((entry) => entry === what))
}

describe.skipIf(redisMissing)('fan-out through Redis', () => {
  test('reaches the sockets of every instance once, bytes included', async () => {
    const { url } = await redisForTest()
    const instances = await Promise.all([1, 2, 3].map(() => startServer([url])))
    instances[0]?.server.emit('entry', Uint8Array.of(0, 255, 10))
    instances[0]?.server.emit('entry', 'last')
    for (const { heard } of instances) {
      await hears(heard, 'last')
      expect(heard.map((entry) => (entry instanceof Buffer ? [...entry] : entry))).toEqual([
        [0, 255, 10],
        'last',
      ])
    }
  })

  test('goes on after Redis was killed, with what was sent meanwhile', async () => {
    const redis = await redisForTest()
    const [one, two] = [await startServer([redis.url]), await startServer([redis.url])]
    await redis.kill()
    one.server.emit('entry', 'meanwhile')
    await hears(one.heard, 'meanwhile')
    await redis.restart()
    one.server.emit('entry', 'after')
    await hears(two.heard, 'after')
    await hears(two.heard, 'meanwhile')
    two.server.emit('entry', 'back')
    await hears(one.heard, 'back')
    expect(two.heard.toSorted()).toEqual(['after', 'back', 'meanwhile'])
  })

  test('counts the instances, also after Redis was killed', async () => {
    const redis = await redisForTest()
    const { server } = await startServer([redis.url])
    await startServer([redis.url])
    const sockets = async () => (await server.fetchSockets()).length
    await eventually('both', async () => (await sockets()) === 2)
    await redis.restart()
    await eventually('both again', async () => (await sockets().catch(() => 0)) === 2)
  })

  test('goes through a cluster, and on when its nodes were killed', async () => {
    const cluster = await RedisCluster.start()
    onTestFinished(() => cluster.stop())
    const [one, two] = [await startServer(cluster.urls), await startServer(cluster.urls)]
    one.server.emit('entry', 'before')
    await hears(two.heard, 'before')
    for (const node of cluster.nodes) await node.restart()
    one.server.emit('entry', 'after')
    await hears(two.heard, 'after')
  })

  test('is refused where Redis cannot be reached', async () => {
    const server = await redisForTest()
    const redis = await connectForTest([server.url])
    await server.kill()
    const fanout = redisFanout(redis, { clock: systemClock, logger: silentLogger })
    await expect(fanout).rejects.toMatchObject({ code: 'store-unreachable' })
  })
})
