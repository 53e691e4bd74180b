import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { systemClock } from '@conclave/client'
import { type Grants, HmacAccessKey, mintToken } from '@conclave/core/access'
import { RedisServer } from '../../../keyserver/test/support/redisServer.ts'
import { RecordingProxy } from './recordingProxy.ts'
import type { RtpPath } from './rtpPath.ts'
import type { RecordedSecret } from './secretRecorder.ts'
import type { Finding, SecretScanner } from './secretScanner.ts'
import { ServerProcess } from './serverProcess.ts'

/** Where the servers, or whoever listens to them, could find a secret. */
export type Place = (typeof places)[number]

export const places = [
  'keyserver memory',
  'keyserver heap',
  'keyserver log',
  'keyserver socket, from clients',
  'keyserver socket, to clients',
  'SFU memory',
  'SFU heap',
  'SFU log',
  'SFU socket, from clients',
  'SFU socket, to clients',
  'SFU media',
  'mediasoup worker memory',
  'append-only file',
] as const

export interface Discovery extends Finding<RecordedSecret> {
  readonly place: Place
}

/** How much was searched, in bytes. */
export type Searched = ReadonlyMap<Place, number>

const accessSecret = 'what both servers check tokens with'
/** Nobody is removed for being away while a server writes its heap down. */
const graceMs = 300_000

/** A keyserver on Redis and an SFU in front of it, each behind a proxy that records. */
export class ObservedServers {
  readonly redis: RedisServer
  readonly keyserver: ServerProcess
  readonly sfu: ServerProcess
  readonly toKeyserver: RecordingProxy
  readonly toSfu: RecordingProxy
  readonly #folder: string

  private constructor(
    parts: Pick<ObservedServers, 'redis' | 'keyserver' | 'sfu' | 'toKeyserver' | 'toSfu'>,
    folder: string,
  ) {
    this.redis = parts.redis
    this.keyserver = parts.keyserver
    this.sfu = parts.sfu
    this.toKeyserver = parts.toKeyserver
    this.toSfu = parts.toSfu
    this.#folder = folder
  }

  static async start(): Promise<ObservedServers> {
    // Nothing is compressed, and nothing that was written is rewritten.
    const redis = await RedisServer.start({
      rdbcompression: 'no',
      'auto-aof-rewrite-percentage': '0',
    })
    const environment = { CONCLAVE_ACCESS_SECRET: accessSecret }
    const keyserver = await ServerProcess.start({
      path: 'keyserver/src/edge/bin.ts',
      args: ['--port', '0', '--grace-ms', String(graceMs), '--log-level', 'debug'],
      environment: { ...environment, REDIS_URL: redis.url },
    })
    const toKeyserver = await RecordingProxy.start(keyserver.port)
    const sfu = await ServerProcess.start({
      path: 'sfu/src/bin.ts',
      preloaded: ['./observedSfu.ts'],
      args: [
        ...['--port', '0', '--workers', '1', '--log-level', 'debug'],
        ...['--keyserver', toKeyserver.url],
      ],
      environment,
    })
    const toSfu = await RecordingProxy.start(sfu.port)
    const folder = await mkdtemp(join(tmpdir(), 'conclave-blindness-'))
    return new ObservedServers({ redis, keyserver, sfu, toKeyserver, toSfu }, folder)
  }

  token(identity: string, meeting: string, grants?: Grants): Promise<string> {
    const request = { identity, meeting, ...(grants && { grants }) }
    return mintToken(request, new HmacAccessKey(accessSecret), systemClock)
  }

  /** As the app's backend does. */
  async remove(identity: string, meeting: string): Promise<void> {
    const token = await this.token('backend', meeting, { manage: true })
    const response = await fetch(`${this.#api}/v1/meetings/${meeting}/removals`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ identity }),
    })
    if (!response.ok) throw new Error(`not removed: ${await response.text()}`)
  }

  /** Whether the keyserver has no meeting left. */
  async isEmpty(): Promise<boolean> {
    const response = await fetch(`${this.#api}/healthz`)
    const { meetings }: { readonly meetings: number } = JSON.parse(await response.text())
    return meetings === 0
  }

  /**
   * Looks for secrets everywhere. A process's memory comes before its heap: a snapshot collects
   * garbage, in which there may be some.
   */
  async search(
    scanner: SecretScanner<RecordedSecret>,
    media: RtpPath | undefined,
  ): Promise<{ discoveries: Discovery[]; searched: Searched }> {
    const discoveries: Discovery[] = []
    const searched = new Map<Place, number>()
    const look = async (place: Place, text: Iterable<Uint8Array>) => {
      const search = scanner.begin()
      for (const piece of text) {
        for (const { secret, form, offset } of search(piece)) {
          discoveries.push({ place, secret, form, offset })
        }
        searched.set(place, (searched.get(place) ?? 0) + piece.length)
        // The clients are in this process, and go on.
        await setImmediate()
      }
    }
    const { keyserver, sfu, toKeyserver, toSfu } = this
    await look('SFU memory', sfu.memory())
    for (const memory of sfu.childrenMemory()) await look('mediasoup worker memory', memory)
    // A snapshot takes seconds, and another processor than ours where there is one.
    const sfuHeap = sfu.heap(this.#folder)
    await look('keyserver memory', keyserver.memory())
    const keyserverHeap = keyserver.heap(this.#folder)
    await look('SFU heap', await sfuHeap)
    await look('keyserver heap', await keyserverHeap)
    const recorded: (readonly [Place, readonly Buffer[]])[] = [
      ['append-only file', await this.#appendOnlyFiles()],
      ['keyserver log', [keyserver.log]],
      ['SFU log', [sfu.log]],
      ['keyserver socket, from clients', toKeyserver.fromClients],
      ['keyserver socket, to clients', toKeyserver.toClients],
      ['SFU socket, from clients', toSfu.fromClients],
      ['SFU socket, to clients', toSfu.toClients],
      ['SFU media', media?.packets ?? []],
    ]
    for (const [place, texts] of recorded) {
      for (const text of texts) await look(place, [text])
    }
    return { discoveries, searched }
  }

  async stop(): Promise<void> {
    this.toSfu.close()
    this.toKeyserver.close()
    await this.sfu.stop()
    await this.keyserver.stop()
    await this.redis.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #api(): string {
    return `http://127.0.0.1:${this.keyserver.port}`
  }

  async #appendOnlyFiles(): Promise<Buffer[]> {
    const folder = join(this.redis.folder, 'appendonlydir')
    return await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))))
  }
}
