import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolveAccess } from '@conclave/core/access'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import type { Logger } from 'pino'
import { createKeyserver, type Keyserver } from '../keyserver.ts'
import { generateRemovalSigner } from '../removalSigner.ts'
import { memoryStore } from '../store/memoryStore.ts'
import type { Configuration } from './configuration.ts'
import { firstOf, handleDevelopmentTokens, handleHealth } from './httpHandlers.ts'
import { systemClock, systemRandom } from './systemRuntime.ts'

export interface RunningKeyserver {
  readonly keyserver: Keyserver
  readonly port: number
  close(): Promise<void>
}

/**
 * Runs a standalone keyserver with an HTTP server of its own, which also answers `GET /healthz` and
 * in development `POST /dev/token`.
 *
 * @throws AccessError `access-keys-required` or `access-secret-weak`
 */
export async function serve(
  configuration: Configuration,
  logger: Logger,
): Promise<RunningKeyserver> {
  const { host, path, graceMs, accessSecret: secret } = configuration
  const clock = systemClock
  const access = await resolveAccess({ secret, host, clock, randomBytes: systemRandom })
  if (access.mode === 'development') {
    logger.warn('no access secret: this machine alone is served, POST /dev/token mints tokens')
  }
  const { subtle } = globalThis.crypto
  const removalSigner = await generateRemovalSigner(subtle)
  const handle = firstOf(
    handleHealth(() => keyserver),
    handleDevelopmentTokens(access),
  )
  const httpServer = createServer(handle)
  const keyserver: Keyserver = createKeyserver({
    httpServer,
    path,
    access,
    store: memoryStore(),
    removalSigner,
    crypto: nodePublicCrypto(),
    clock,
    random: systemRandom,
    logger,
    graceMs,
  })
  try {
    httpServer.listen(configuration.port, host)
    await once(httpServer, 'listening')
  } catch (error) {
    await keyserver.close()
    throw error
  }
  const { port } = httpServer.address() as AddressInfo
  logger.info({ host, port, path }, 'the keyserver is listening')
  return {
    keyserver,
    port,
    async close() {
      await keyserver.close()
      const closed = once(httpServer, 'close')
      httpServer.close()
      httpServer.closeAllConnections()
      await closed
    },
  }
}
