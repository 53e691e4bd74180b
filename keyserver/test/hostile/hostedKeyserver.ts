import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { queryObjects } from 'node:v8'
import { resolveAccess } from '@conclave/core/access'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import {
  commonRemovalSigner,
  createKeyserver,
  firstOf,
  generateRemovalSigner,
  handleDevelopmentTokens,
  handleHealth,
  type KeyserverOptions,
  memoryStore,
  systemClock,
  systemRandom,
} from '@conclave/keyserver'
import { pino } from 'pino'
import { createBackendApi } from '../../src/api/backendApi.ts'
import { Admissions } from '../../src/connection/admissions.ts'
import { Connection } from '../../src/connection/connection.ts'
import { memoryDirectory } from '../../src/directory/memoryDirectory.ts'
import { redisDirectory } from '../../src/directory/redis/redisDirectory.ts'
import { handleApi, handleMetrics } from '../../src/edge/httpHandlers.ts'
import { bullJobs } from '../../src/jobs/bullJobs.ts'
import { timerJobs } from '../../src/jobs/timerJobs.ts'
import { defaultLimits } from '../../src/limits.ts'
import { createMetrics } from '../../src/metrics/keyserverMetrics.ts'
import { OpenGroup } from '../../src/ordering/openGroup.ts'
import { connectRedis } from '../../src/store/redis/connectRedis.ts'
import { redisFanout } from '../../src/store/redis/fanout.ts'
import { redisStore } from '../../src/store/redis/redisStore.ts'
import { attackedLimits, type HostingOrders, type Measured, type Question } from './hosting.ts'
import { plantedFaults } from './plantedFaults.ts'
import { accessSecret } from './tokens.ts'

const orders = JSON.parse(process.argv[2] ?? '{}') as HostingOrders
const delay = monitorEventLoopDelay({ resolution: 20 })
delay.enable()

const logger = pino({ level: 'debug' })
const clock = systemClock
const host = '127.0.0.1'
const access = await resolveAccess({
  secret: accessSecret,
  host,
  clock,
  randomBytes: systemRandom,
})
const development = await resolveAccess({ host, clock, randomBytes: systemRandom })
const metrics = createMetrics()
const httpServer = createServer(
  firstOf(
    handleHealth(() => keyserver),
    handleDevelopmentTokens(development),
    handleMetrics(metrics),
    handleApi((request, env) => api.fetch(request, env), ''),
  ),
)
const behind = await backing(orders.redisUrl)
const base: KeyserverOptions = {
  httpServer,
  access,
  crypto: nodePublicCrypto(),
  clock,
  random: systemRandom,
  logger,
  graceMs: 1_500,
  trustedProxies: 1,
  limits: attackedLimits,
  observer: metrics.observer,
  ...behind,
}
const planted = orders.fault === undefined ? {} : plantedFaults[orders.fault](base)
const keyserver = createKeyserver({ ...base, ...planted })
const admissions = new Admissions({
  limits: { ...defaultLimits, ...attackedLimits },
  trustedProxies: 1,
  clock,
})
const api = createBackendApi({
  administration: keyserver.administration,
  directory: behind.directoryStore,
  deadLetters: behind.jobs.deadLetters,
  metrics,
  verifier: access.verifier,
  mint: access.mint,
  admit: (remoteAddress, forwardedFor) => admissions.attempt(remoteAddress, forwardedFor),
  basePath: '',
  logger,
})
await keyserver.started
httpServer.listen(0, host)
await once(httpServer, 'listening')
process.send?.({ port: (httpServer.address() as AddressInfo).port })

process.on('message', (question: Question) => process.send?.(measure(question)))
process.on('disconnect', () => process.exit(0))

async function backing(url: string | undefined) {
  const { subtle } = globalThis.crypto
  if (url === undefined) {
    return {
      store: memoryStore(),
      jobs: timerJobs({ clock, logger }),
      directoryStore: memoryDirectory(),
      removalSigner: await generateRemovalSigner(subtle),
    }
  }
  const redis = await connectRedis({ urls: [url], clock, logger, allowLossy: false })
  const store = redisStore(redis)
  const fanout = await redisFanout(redis, { clock, logger })
  return {
    store,
    adapter: fanout.adapter,
    jobs: bullJobs({ clock, logger, redis: redis.patientClient() }),
    directoryStore: redisDirectory(redis),
    removalSigner: await commonRemovalSigner(subtle, store),
  }
}

function measure(question: Question): Measured {
  if (question !== 'now') globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  const longestDelayMs = delay.max / 1e6
  const { connections, meetings } = keyserver.health()
  const classes = question === 'counted' ? { Connection, OpenGroup } : {}
  const alive = Object.fromEntries(
    Object.entries(classes).map(([name, one]) => [name, queryObjects(one, { format: 'count' })]),
  )
  // That was a standstill of its own.
  if (question !== 'now') clock.setTimer(100, () => delay.reset())
  return {
    rss,
    used: heapUsed + external,
    longestDelayMs,
    health: { connections, meetings },
    alive,
  }
}
