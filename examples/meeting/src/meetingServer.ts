import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { resolveAccess } from '@conclave/core/access'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import {
  createKeyserver,
  generateRemovalSigner,
  handleDevelopmentTokens,
  type Keyserver,
  memoryStore,
  systemClock,
  systemRandom,
} from '@conclave/keyserver'
import { createSfu, type Sfu, SfuError } from '@conclave/sfu'
import type { Logger } from 'pino'
import { localUrl, mediaAddressOf } from './addresses.ts'
import type { Configuration } from './configuration.ts'
import { listen } from './listen.ts'
import { MeetingServerError } from './meetingServerError.ts'
import { servePage } from './pageHandler.ts'

export interface MeetingServerOptions
  extends Pick<Configuration, 'host' | 'port' | 'mediaAddress' | 'mediaPorts' | 'accessSecret'> {
  /** The built page. */
  readonly pageFolder: string
  readonly logger: Logger
}

export interface MeetingServer {
  /** Where a browser on this machine finds the page. */
  readonly url: string
  readonly port: number
  readonly keyserver: Keyserver
  readonly sfu: Sfu
  /** Ends every meeting, then everything else. */
  close(): Promise<void>
}

const relaysEndMs = 1_000

interface Running {
  keyserver?: Keyserver
  sfu?: Sfu
}

/**
 * Serves keyserver, SFU and page on one port: `/keyserver/socket.io`, `/sfu/socket.io`,
 * `GET /healthz`, in development `POST /dev/token`, and the page for the rest.
 *
 * @throws MeetingServerError `port-in-use`, `listen-failed`, `page-missing`,
 *   `configuration-invalid`
 * @throws AccessError `access-keys-required`, `access-secret-weak`
 * @throws SfuError `worker-failed`
 */
export async function startMeetingServer(options: MeetingServerOptions): Promise<MeetingServer> {
  const { host, mediaAddress, mediaPorts, logger } = options
  const access = await resolveAccess({
    secret: options.accessSecret,
    host,
    clock: systemClock,
    randomBytes: systemRandom,
  })
  const page = servePage(options.pageFolder)
  const mintTokens = handleDevelopmentTokens(access)
  const { subtle } = globalThis.crypto
  const removalSigner = await generateRemovalSigner(subtle)

  const running: Running = {}
  const httpServer = createServer((request, response) => {
    if (request.url === '/healthz') answerHealth(response, running)
    else if (!mintTokens(request, response)) page(request, response)
  })
  const port = await listen(httpServer, options)
  const url = localUrl(host, port)
  const close = async () => {
    await running.keyserver?.close()
    if (running.sfu !== undefined) await relaysEnd(running.sfu)
    await running.sfu?.close()
    const closed = once(httpServer, 'close')
    httpServer.close()
    httpServer.closeAllConnections()
    await closed
  }
  try {
    running.keyserver = createKeyserver({
      httpServer,
      path: '/keyserver/socket.io',
      access,
      store: memoryStore(),
      removalSigner,
      crypto: nodePublicCrypto(),
      clock: systemClock,
      random: systemRandom,
      logger,
    })
    running.sfu = await createSfu({
      httpServer,
      path: '/sfu/socket.io',
      access,
      keyserver: { url: `${url}keyserver` },
      media: {
        // A meeting lives on one worker, and a demo has few.
        workers: 1,
        addresses: [mediaAddressOf(host, mediaAddress)],
        portRange: mediaPorts,
      },
      clock: systemClock,
      logger,
    })
  } catch (error) {
    await close()
    throw namingTheFlag(error)
  }
  const { keyserver, sfu } = running
  return { url, port, keyserver, sfu, close }
}

/** What the keyserver has said last still passes the SFU, whose relays end after it. */
async function relaysEnd(sfu: Sfu): Promise<void> {
  const giveUp = AbortSignal.timeout(relaysEndMs)
  while (sfu.health().relays > 0 && !giveUp.aborted) await setTimeout(5)
}

function answerHealth(response: ServerResponse, { keyserver, sfu }: Running): void {
  const status = keyserver === undefined ? 'starting' : (sfu?.health().status ?? 'starting')
  response.writeHead(status === 'ok' ? 200 : 503, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
  })
  const health = { status, keyserver: keyserver?.health(), sfu: sfu?.health() }
  response.end(JSON.stringify(health))
}

/** The SFU does not know what its settings are called here. */
function namingTheFlag(error: unknown): unknown {
  if (!(error instanceof SfuError) || error.code !== 'announced-address-required') return error
  return new MeetingServerError(
    'configuration-invalid',
    'browsers cannot send media to every address: --media-address is missing',
    { cause: error, remedy: 'Name the address under which browsers reach this machine.' },
  )
}
