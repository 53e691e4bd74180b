import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'

/** A real redis-server on a free port of this machine. */
export class RedisServer {
  readonly url: string
  readonly #arguments: readonly string[]
  readonly #directory: string
  #process: ChildProcess | undefined

  private constructor(port: number, directory: string, cluster: boolean) {
    this.url = `redis://127.0.0.1:${port}`
    this.#directory = directory
    this.#arguments = [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', ''],
      ...['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'],
      ...(cluster ? ['--cluster-enabled', 'yes'] : []),
    ]
  }

  static async start(options: { readonly cluster?: boolean } = {}): Promise<RedisServer> {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    probe.close()
    const directory = await mkdtemp(join(tmpdir(), 'conclave-redis-'))
    const server = new RedisServer(port, directory, options.cluster === true)
    await server.restart()
    return server
  }

  async kill(): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  async restart(): Promise<void> {
    this.#process = spawn('redis-server', this.#arguments, { stdio: 'ignore' })
    const client = createClient({ url: this.url })
    client.on('error', () => {})
    await client.connect()
    client.destroy()
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.#directory, { recursive: true, force: true })
  }
}
