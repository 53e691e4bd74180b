import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { isContinuousIntegration } from '../../../core/test/continuousIntegration.ts'
import { eventually } from './eventually.ts'

const executable = process.env['REDIS_SERVER_BIN'] || 'redis-server'

/** For `describe.skipIf`: Redis cannot be started here. With CI set that is no reason to skip. */
export const redisMissing =
  !isContinuousIntegration() && spawnSync(executable, ['--version']).error !== undefined
if (redisMissing) {
  console.warn('no redis-server: install the package redis-server, or name one in REDIS_SERVER_BIN')
}

/** As in redis.conf. */
export interface RedisSettings {
  readonly [name: string]: string | readonly string[]
}

const durable: RedisSettings = {
  appendonly: 'yes',
  appendfsync: 'always',
  'maxmemory-policy': 'noeviction',
}

/** Below the ports that connections get, so that none has taken a stopped server's port meanwhile. */
const ports = { from: 10_000, to: 22_000 }
/** A cluster's nodes also listen on their port + 10000. */
const busOffset = 10_000

/** A real redis-server on a free port, with a folder of its own. */
export class RedisServer {
  readonly port: number
  readonly folder: string
  readonly #settings: RedisSettings
  #process: ChildProcess | undefined

  private constructor(port: number, folder: string, settings: RedisSettings) {
    this.port = port
    this.folder = folder
    this.#settings = settings
  }

  /** Durable unless told otherwise. */
  static async start(settings: RedisSettings = {}): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'conclave-redis-'))
    const server = new RedisServer(await freePort(), folder, { ...durable, ...settings })
    await server.#run()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** As a crash would: SIGKILL. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Stops the world for it: connections stay, nothing is answered. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  /** On the same port, with what is on the disk. */
  async restart(): Promise<void> {
    await this.kill()
    await this.#run()
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }

  /** One command, over a connection of its own. */
  async command(...args: readonly string[]): Promise<unknown> {
    const client = createClient({ url: this.url })
    client.on('error', () => {})
    try {
      await client.connect()
      return await client.sendCommand([...args])
    } finally {
      client.destroy()
    }
  }

  async #run(): Promise<void> {
    const settings = Object.entries({
      port: String(this.port),
      bind: '127.0.0.1',
      dir: this.folder,
      save: '',
      ...this.#settings,
    }).flatMap(([name, value]) => [`--${name}`, ...[value].flat()])
    const child = spawn(executable, settings, { stdio: 'ignore' })
    this.#process = child
    endWithThisProcess(child, this.folder)
    await eventually('redis-server', async () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
      return await this.#answers()
    })
  }

  async #answers(): Promise<boolean> {
    const client = createClient({ url: this.url, socket: { reconnectStrategy: false } })
    client.on('error', () => {})
    try {
      await client.connect()
      return (await client.ping()) === 'PONG'
    } catch {
      return false
    } finally {
      if (client.isOpen) client.destroy()
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

/** Its input ends with this process, however that ends: then so does the server. */
function endWithThisProcess(child: ChildProcess, folder: string): void {
  const script = 'read -r _; kill -9 "$0"; rm -rf "$1"'
  const watcher = spawn('sh', ['-c', script, String(child.pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Ctrl-C reaches a terminal's whole process group.
    detached: true,
  })
  child.once('exit', () => watcher.kill())
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(ports.from, ports.to)
    if ((await isFree(port)) && (await isFree(port + busOffset))) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const listening = once(server, 'listening')
  server.listen(port, '127.0.0.1')
  try {
    await listening
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
