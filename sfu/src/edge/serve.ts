import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolveAccess } from '@conclave/core/access'
import type { Logger } from 'pino'
import { createSfu, type Sfu } from '../sfu.ts'
import type { SfuConfig } from './config.ts'
import { systemClock } from './systemClock.ts'

export interface RunningServer {
  readonly sfu: Sfu
  readonly port: number
  close(): Promise<void>
}

/**
 * Runs a standalone SFU with its own HTTP server, which also answers `GET /healthz`.
 *
 * @throws AccessError `access-keys-required` or `access-secret-weak`
 * @throws SfuError `announced-address-required` or `worker-failed`
 */
export async function serve(config: SfuConfig, logger: Logger): Promise<RunningServer> {
  const access = await resolveAccess({
    secret: config.accessSecret,
    host: config.host,
    clock: systemClock,
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  })
  if (access.mode === 'development') {
    logger.warn('no access secret: only tokens of this process are accepted, on loopback alone')
  }
  const httpServer = createServer()
  const { mediaIp: ip, announcedAddress } = config
  const sfu = await createSfu({
    httpServer,
    path: config.path,
    access,
    keyserver: { url: config.keyserverUrl },
    media: {
      workers: config.workers,
      addresses: [announcedAddress === undefined ? { ip } : { ip, announcedAddress }],
      portRange: config.mediaPorts,
    },
    clock: systemClock,
    logger,
  })
  answerHealth(httpServer, sfu, config.path)
  try {
    httpServer.listen(config.port, config.host)
    await once(httpServer, 'listening')
  } catch (error) {
    await sfu.close()
    throw error
  }
  const { port } = httpServer.address() as AddressInfo
  logger.info({ host: config.host, port, workers: config.workers }, 'the SFU is listening')
  return {
    sfu,
    port,
    async close() {
      await sfu.close()
      const closed = once(httpServer, 'close')
      httpServer.close()
      httpServer.closeAllConnections()
      await closed
    },
  }
}

/** 200 while the SFU takes new rooms at full capacity, 503 otherwise. */
function answerHealth(httpServer: Server, sfu: Sfu, socketPath: string): void {
  httpServer.on('request', (request, response) => {
    if (request.url?.startsWith(socketPath)) return
    if (request.method !== 'GET' || request.url !== '/healthz') {
      response.writeHead(404).end()
      return
    }
    const health = sfu.health()
    response
      .writeHead(health.status === 'ok' ? 200 : 503, { 'content-type': 'application/json' })
      .end(JSON.stringify(health))
  })
}
