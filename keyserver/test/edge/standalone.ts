import { HmacAccessKey, mintToken, type TokenRequest } from '@conclave/core/access'
import { systemClock } from '@conclave/keyserver'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { readConfiguration } from '../../src/edge/configuration.ts'
import { type RunningKeyserver, serve } from '../../src/edge/serve.ts'
import { TestClient } from '../support/testClient.ts'
import type { MeetingPlace } from '../support/testMember.ts'

export const accessSecret = 'a secret of at least thirty-two bytes'

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** A keyserver as the command runs it, which shares a secret with the test. */
export class Standalone implements MeetingPlace {
  readonly clock = systemClock
  readonly running: RunningKeyserver
  /** Scheme, authority and prefix. */
  readonly url: string
  /** What has been logged, at the level debug. */
  readonly log: string[]
  /** Tokens that it was sent. */
  readonly tokens: string[] = []
  /** What clients sent to it and it told them: KeyPackages, commits, Welcomes. */
  readonly messages: Uint8Array[] = []

  private constructor(running: RunningKeyserver, prefix: string, log: string[]) {
    this.running = running
    this.url = `http://127.0.0.1:${running.port}${prefix}`
    this.log = log
  }

  static async start(
    args: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Standalone> {
    const settings = ['--port', '0', '--drain-ms', '0', '--log-level', 'debug', ...args]
    const secrets = { CONCLAVE_ACCESS_SECRET: accessSecret, ...environment }
    const configuration = readConfiguration(settings, secrets)
    const log: string[] = []
    const logger = pino({ level: 'debug' }, { write: (line: string) => log.push(line) })
    const running = await serve(configuration, logger)
    onTestFinished(() => running.close())
    return new Standalone(running, configuration.path.replace('/socket.io', ''), log)
  }

  async mint(request: TokenRequest): Promise<string> {
    const token = await mintToken(request, new HmacAccessKey(accessSecret), this.clock)
    this.tokens.push(token)
    return token
  }

  /** A token for the API. */
  manager(meeting = '*'): Promise<string> {
    return this.mint({ identity: 'backend', meeting, grants: { manage: true } })
  }

  async connect(identity: string, meeting: string): Promise<TestClient> {
    const token = await this.mint({ identity, meeting })
    const client = new TestClient(`http://127.0.0.1:${this.running.port}`, { token })
    onTestFinished(() => client.disconnect())
    const record = (_event: string, ...payload: unknown[]) => {
      this.messages.push(...bytesIn(payload))
    }
    client.socket.onAny(record).onAnyOutgoing(record)
    await client.connected()
    return client
  }

  /** @param options `token` is one for every meeting, where not given */
  async ask(
    method: string,
    path: string,
    options: { readonly token?: string | null; readonly body?: unknown } = {},
  ): Promise<Answer> {
    const { token = await this.manager(), body } = options
    const response = await fetch(this.url + path, {
      method,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  }
}

function bytesIn(value: unknown): readonly Uint8Array[] {
  if (value instanceof Uint8Array) return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(bytesIn)
}
