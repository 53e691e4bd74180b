import { performance } from 'node:perf_hooks'
import { type Access, readAccessKeys, resolveAccess } from '@conclave/core/access'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import type { Logger } from 'pino'
import { createBackendApi } from '../api/backendApi.ts'
import { Admissions } from '../connection/admissions.ts'
import { createKeyserver, type Keyserver } from '../keyserver.ts'
import { defaultLimits } from '../limits.ts'
import { createMetrics, type KeyserverMetrics } from '../metrics/keyserverMetrics.ts'
import { measuredStore } from '../metrics/measuredStore.ts'
import { observers } from '../observer.ts'
import {
  commonRemovalSigner,
  generateRemovalSigner,
  importRemovalSigner,
  type RemovalSigner,
} from '../removalSigner.ts'
import type { Store } from '../store/store.ts'
import { webhookObserver } from '../webhooks/webhookObserver.ts'
import { type Backing, closeBacking, openBacking } from './backing.ts'
import type { Configuration } from './configuration.ts'
import {
  firstOf,
  type HttpHandler,
  handleApi,
  handleDevelopmentTokens,
  handleHealth,
  handleMetrics,
  handleReadiness,
} from './httpHandlers.ts'
import { closeListener, httpServerOf, listen } from './httpListener.ts'
import { Readiness } from './readiness.ts'
import { systemClock, systemRandom } from './systemRuntime.ts'
import { webhookSender } from './webhookSender.ts'

export interface RunningKeyserver {
  readonly keyserver: Keyserver
  readonly port: number
  /** Where metrics have a port of their own. */
  readonly metricsPort: number | undefined
  /** Is not ready from now on, goes on serving for the configured time, and closes. */
  drain(): Promise<void>
  close(): Promise<void>
}

/** Over which clients are cut, where other instances take them. */
const maxSpreadMs = 2_000
/** How long HTTP requests may take to end. */
const partingMs = 1_000

const clock = systemClock
const random = systemRandom
/** Finer than milliseconds, for what is measured. */
const stopwatch = { now: () => performance.now() }

/**
 * Runs a standalone keyserver with an HTTP server of its own, which also answers `GET /healthz`,
 * `GET /readyz`, the backend API and in development `POST /dev/token`.
 *
 * @throws ConfigurationError, AccessError or StoreError where it cannot start
 */
export async function serve(
  configuration: Configuration,
  logger: Logger,
): Promise<RunningKeyserver> {
  const { host, path, heartbeatMs, graceMs, idleMs, drainMs, webhook } = configuration
  const keys = readAccessKeys(configuration.access, fetch)
  const access = await resolveAccess({ ...keys, host, clock, randomBytes: random })
  if (access.mode === 'development') {
    logger.warn(
      'no key for access tokens: this machine alone is served, POST /dev/token mints them',
    )
  }
  const httpServer = httpServerOf(configuration.tls, (request, response) =>
    handle(request, response),
  )
  const metrics = createMetrics()
  const metricsServer = httpServerOf(undefined, firstOf(handleMetrics(metrics)))
  const backing = await openBacking(configuration.redis, { clock, logger, onRun: metrics.jobRan })
  const { jobs, directory } = backing
  const store = measuredStore(backing.store, stopwatch, metrics.storeStep)
  const readiness = new Readiness(() => store.check(), clock)
  let removalSigner: RemovalSigner
  try {
    removalSigner = await removalSignerOf(configuration, store)
  } catch (error) {
    await closeBacking(backing)
    throw error
  }
  const webhooks = webhook === undefined ? [] : [webhookObserver({ jobs, clock, random, logger })]
  const keyserver = createKeyserver({
    httpServer,
    path,
    access,
    store,
    ...(backing.adapter !== undefined && { adapter: backing.adapter }),
    jobs,
    directoryStore: directory,
    ...(webhook !== undefined && { deliverWebhook: webhookSender({ ...webhook, fetch, clock }) }),
    observer: observers(metrics.observer, ...webhooks),
    removalSigner,
    crypto: nodePublicCrypto(),
    clock,
    random,
    logger,
    heartbeatMs,
    graceMs,
    idleMs,
    meetingMs: configuration.maxMeetingMs,
    limits: configuration.limits,
    trustedProxies: configuration.trustedProxies,
  })
  metrics.watch(() => keyserver.health())
  const handle = firstOf(
    handleHealth(() => keyserver),
    handleReadiness(readiness),
    handleDevelopmentTokens(access),
    apiOf({ configuration, access, keyserver, backing, metrics, logger }),
  )

  let closing: Promise<void> | undefined
  const close = (spreadMs = 0): Promise<void> => {
    closing ??= (async () => {
      readiness.drain()
      // Nobody who is cut comes back here; requests that are under way may end.
      httpServer.close()
      const cancel = clock.setTimer(partingMs, () => httpServer.closeAllConnections())
      await keyserver.close({ spreadMs })
      cancel()
      await backing.closeAdapter()
      await closeListener(httpServer)
      await closeListener(metricsServer)
    })()
    return closing
  }
  try {
    await keyserver.started
    const port = await listen(httpServer, configuration)
    const { metrics: at } = configuration
    const metricsPort = at === undefined ? undefined : await listen(metricsServer, at)
    logger.info({ host, port, path, durable: store.durable }, 'the keyserver is listening')
    return {
      keyserver,
      port,
      metricsPort,
      async drain() {
        logger.info({ drainMs }, 'asked to stop: not ready any more')
        readiness.drain()
        await new Promise<void>((resolve) => clock.setTimer(drainMs, resolve))
        await close(Math.min(drainMs, maxSpreadMs))
        logger.info('stopped')
      },
      close: () => close(),
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** With the operator's key, else one that all instances agree on, else one of this process alone. */
async function removalSignerOf(
  { removalKey }: Configuration,
  store: Store,
): Promise<RemovalSigner> {
  const { subtle } = globalThis.crypto
  if (removalKey !== undefined) return await importRemovalSigner(subtle, removalKey)
  if (store.shared) return await commonRemovalSigner(subtle, store)
  return await generateRemovalSigner(subtle)
}

function apiOf(parts: {
  readonly configuration: Configuration
  readonly access: Access
  readonly keyserver: Keyserver
  readonly backing: Backing
  readonly metrics: KeyserverMetrics
  readonly logger: Logger
}): HttpHandler {
  const { configuration, access, keyserver, backing, metrics, logger } = parts
  const { path, trustedProxies } = configuration
  const limits = { ...defaultLimits, ...configuration.limits }
  const admissions = new Admissions({ limits, trustedProxies, clock })
  const basePath = path.replace(/\/socket\.io$/, '')
  const api = createBackendApi({
    administration: keyserver.administration,
    directory: backing.directory,
    deadLetters: backing.jobs.deadLetters,
    metrics,
    verifier: access.verifier,
    mint: access.mint,
    admit: (remoteAddress, forwardedFor) => admissions.attempt(remoteAddress, forwardedFor),
    basePath,
    logger,
  })
  return handleApi((request, env) => api.fetch(request, env), basePath)
}
