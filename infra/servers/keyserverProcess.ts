import { createServer } from 'node:http'
import { resolveAccess } from '@conclave/core/access'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import {
  systemClock as clock,
  commonRemovalSigner,
  createKeyserver,
  generateRemovalSigner,
  type KeyserverLimits,
  systemRandom,
} from '@conclave/keyserver'
import { pino } from 'pino'
import { openBacking } from '../../keyserver/src/edge/backing.ts'
import { listen } from '../../keyserver/src/edge/httpListener.ts'
import { createMetrics } from '../../keyserver/src/metrics/keyserverMetrics.ts'
import { measuredStore } from '../../keyserver/src/metrics/measuredStore.ts'
import { AppendedEntries } from './appendedEntries.ts'
import { answerParent, cpuTime, machineTime } from './child.ts'
import { ConnectionTraffic } from './connectionTraffic.ts'

export interface KeyserverProcess {
  readonly redisUrl: string | undefined
  readonly secret: string
  /** Where they are not the keyserver's own. */
  readonly limits: Partial<KeyserverLimits>
  /** Milliseconds without a connection after which a member is removed; the keyserver's own if not given. */
  readonly graceMs?: number
  /** Milliseconds within which a connection gives a sign of life; the keyserver's own if not given. */
  readonly heartbeatMs?: number
}

export type KeyserverQuestions = typeof questions

/*
 * A keyserver as `edge/serve.ts` runs it, with metrics and the log that operators have.
 */
const { redisUrl, secret, limits, graceMs, heartbeatMs }: KeyserverProcess = JSON.parse(
  process.argv[2] ?? '',
)
const host = '127.0.0.1'
const logger = pino({ level: 'info' }, pino.destination('/dev/null'))
const metrics = createMetrics()
const redis = redisUrl === undefined ? undefined : { urls: [redisUrl], allowLossy: false }
const backing = await openBacking(redis, { clock, logger, onRun: metrics.jobRan })
const appended = new AppendedEntries()
const store = measuredStore(appended.of(backing.store), { now: machineTime }, metrics.storeStep)
const httpServer = createServer()
const traffic = new ConnectionTraffic(httpServer)
const { subtle } = globalThis.crypto
const keyserver = createKeyserver({
  httpServer,
  access: await resolveAccess({ secret, host, clock, randomBytes: systemRandom }),
  store,
  ...(backing.adapter !== undefined && { adapter: backing.adapter }),
  jobs: backing.jobs,
  directoryStore: backing.directory,
  observer: metrics.observer,
  removalSigner: await (store.shared
    ? commonRemovalSigner(subtle, store)
    : generateRemovalSigner(subtle)),
  crypto: nodePublicCrypto(),
  clock,
  random: systemRandom,
  logger,
  ...(graceMs !== undefined && { graceMs }),
  ...(heartbeatMs !== undefined && { heartbeatMs }),
  limits,
})
await keyserver.started

const port = await listen(httpServer, { host, port: 0 })
const questions = {
  port: () => port,
  cpuTime,
  /** When the store had taken the last commit. */
  lastAppended: () => appended.lastCommitAt,
  commits: () => appended.commits,
  /** What has come onto the log since this was asked last. */
  entries: () => appended.take(),
  /** Of all connections since the process began. */
  traffic: () => traffic.bytes(),
  /** So that nothing is done for it any more. */
  end: (meetingId: string) => keyserver.administration.end(meetingId),
  /** Cuts every connection; when that was. */
  cut: () => {
    const at = machineTime()
    traffic.cut()
    return at
  },
}
answerParent(questions)
