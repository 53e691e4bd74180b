import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '@conclave/core'
import { type Access, resolveAccess } from '@conclave/core/access'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import {
  createKeyserver,
  generateRemovalSigner,
  type Keyserver,
  type KeyserverOptions,
  memoryStore,
  type RemovalSigner,
  systemClock,
  systemRandom,
} from '@conclave/keyserver'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { TestClient } from './testClient.ts'

type Development = Extract<Access, { readonly mode: 'development' }>

/** A keyserver on loopback, closed when the test is over. */
export class TestServer {
  readonly keyserver: Keyserver
  readonly removalSigner: RemovalSigner
  readonly clock: Clock
  /** What has been logged, one JSON line each. */
  readonly log: readonly string[]
  readonly url: string
  readonly #access: Development

  private constructor(
    keyserver: Keyserver,
    url: string,
    access: Development,
    removalSigner: RemovalSigner,
    clock: Clock,
    log: readonly string[],
  ) {
    this.keyserver = keyserver
    this.url = url
    this.#access = access
    this.removalSigner = removalSigner
    this.clock = clock
    this.log = log
  }

  static async start(options: Partial<KeyserverOptions> = {}): Promise<TestServer> {
    const clock = options.clock ?? systemClock
    const host = '127.0.0.1'
    const access = await resolveAccess({ host, clock, randomBytes: systemRandom })
    if (access.mode !== 'development') throw new Error('tests mint their own tokens')
    const log: string[] = []
    const removalSigner =
      options.removalSigner ?? (await generateRemovalSigner(globalThis.crypto.subtle))
    const httpServer = createServer()
    const keyserver = createKeyserver({
      httpServer,
      access,
      store: memoryStore(),
      crypto: nodePublicCrypto(),
      random: systemRandom,
      logger: pino({ level: 'debug' }, { write: (line: string) => log.push(line) }),
      ...options,
      clock,
      removalSigner,
    })
    httpServer.listen(0, host)
    await once(httpServer, 'listening')
    const { port } = httpServer.address() as AddressInfo
    let closed: Promise<void> | undefined
    const closing: Keyserver = {
      ...keyserver,
      close: () => {
        closed ??= keyserver.close()
        return closed
      },
    }
    onTestFinished(async () => {
      await closing.close()
      httpServer.close()
      httpServer.closeAllConnections()
    })
    const url = `http://${host}:${port}`
    return new TestServer(closing, url, access, removalSigner, clock, log)
  }

  token(identity: string, meeting: string): Promise<string> {
    return this.#access.mint({ identity, meeting })
  }

  /** A connection whose token is for `meeting`, or which presents what the test says. */
  async connect(identity: string, meeting: string): Promise<TestClient> {
    return await this.connectWith({ token: await this.token(identity, meeting) })
  }

  async connectWith(auth: Record<string, unknown>): Promise<TestClient> {
    const client = new TestClient(this.url, auth)
    onTestFinished(() => client.disconnect())
    await client.connected()
    return client
  }

  mint(request: Parameters<Development['mint']>[0]): Promise<string> {
    return this.#access.mint(request)
  }
}
