import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { resolveAccess } from '@conclave/core/access'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import {
  systemClock as clock,
  commonRemovalSigner,
  createKeyserver,
  generateRemovalSigner,
  systemRandom,
} from '@conclave/keyserver'
import { pino } from 'pino'
import { openBacking } from '../../../keyserver/src/edge/backing.ts'
import { listen } from '../../../keyserver/src/edge/httpListener.ts'
import { createMetrics } from '../../../keyserver/src/metrics/keyserverMetrics.ts'
import { measuredStore } from '../../../keyserver/src/metrics/measuredStore.ts'
import { answerParent, cpuTime, machineTime } from './child.ts'

export interface KeyserverProcess {
  readonly redisUrl: string | undefined
  readonly secret: string
}

export type KeyserverQuestions = typeof questions

/*
 * A keyserver as `edge/serve.ts` runs it, with metrics and the log that operators have. Its limits
 * are out of the way of one machine that plays everybody, and nobody's absence becomes a removal.
 */
const { redisUrl, secret }: KeyserverProcess = JSON.parse(process.argv[2] ?? '')
const host = '127.0.0.1'
const logger = pino({ level: 'info' }, pino.destination('/dev/null'))
const metrics = createMetrics()
const redis = redisUrl === undefined ? undefined : { urls: [redisUrl], allowLossy: false }
const backing = await openBacking(redis, { clock, logger, onRun: metrics.jobRan })
const appended: number[] = []
const store = measuredStore(backing.store, { now: machineTime }, (step, ms, succeeded) => {
  metrics.storeStep(step, ms, succeeded)
  if (step === 'appendCommit') appended.push(machineTime())
})
const httpServer = createServer()
const sockets = new Set<Socket>()
httpServer.on('connection', (socket) => {
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
})
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
  graceMs: 3_600_000,
  limits: {
    connectionAttemptsPerMinute: 1_000_000,
    requestsPerSecond: 1_000_000,
    requestBurst: 1_000_000,
    identityRequestsPerSecond: 1_000_000,
    identityRequestBurst: 1_000_000,
    commitsPerLeaf: 1_000_000,
  },
})
await keyserver.started

const port = await listen(httpServer, { host, port: 0 })
const questions = {
  port: () => port,
  cpuTime,
  /** When the store had taken the last commit. */
  lastAppended: () => appended.at(-1) ?? Number.NaN,
  /** So that nothing is done for it any more. */
  end: (meetingId: string) => keyserver.administration.end(meetingId),
  /** Cuts every connection; when that was. */
  cut: () => {
    const at = machineTime()
    for (const socket of sockets) socket.destroy()
    return at
  },
}
answerParent(questions)
