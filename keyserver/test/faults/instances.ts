import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { eventually } from '../support/eventually.ts'
import type { RedisServer } from '../support/redisServer.ts'
import { Wire } from './wire.ts'

/** What all instances share with whoever mints tokens. */
export const accessSecret = 'a secret that is long enough for tests'

const program = fileURLToPath(new URL('../../src/edge/bin.ts', import.meta.url))
const errorLevel = 50
/** How long a start may take on a loaded machine, in milliseconds. */
const startMs = 60_000
/** How long a draining instance goes on as before, in milliseconds. */
const drainMs = 200
/** What may be logged as an error while Redis is not there. */
const storeTrouble = ['store-unreachable']

interface LogLine {
  readonly level: number
  readonly msg?: string
  readonly port?: number
  readonly err?: { readonly code?: string }
}

export function isComplaint({ level, err }: LogLine): boolean {
  return level >= errorLevel && !storeTrouble.includes(err?.code ?? '')
}

/** A keyserver in a process of its own. */
export class Instance {
  readonly name: string
  /** Its own way to Redis. */
  readonly redis: Wire
  readonly #child: ChildProcess
  readonly #complaints: string[] = []
  #port: number | undefined
  #end: 'expected' | undefined

  private constructor(name: string, redis: Wire, graceMs: number) {
    this.name = name
    this.redis = redis
    const child = spawn(process.execPath, ['--conditions=conclave:source', program], {
      env: {
        ...process.env,
        REDIS_URL: `redis://127.0.0.1:${redis.port}`,
        CONCLAVE_ACCESS_SECRET: accessSecret,
        CONCLAVE_KEYSERVER_PORT: '0',
        CONCLAVE_KEYSERVER_GRACE_MS: String(graceMs),
        CONCLAVE_KEYSERVER_DRAIN_MS: String(drainMs),
        CONCLAVE_KEYSERVER_LOG_LEVEL: 'info',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    createInterface({ input: child.stdout }).on('line', (line) => this.#logged(line))
    createInterface({ input: child.stderr }).on('line', (line) => this.#complain(line))
    child.on('exit', (code, signal) => {
      if (this.#end === undefined) this.#complain(`ended by itself: ${code ?? signal}`)
    })
  }

  static async start(name: string, redis: RedisServer, graceMs: number): Promise<Instance> {
    const wire = await Wire.to(() => redis.port)
    const instance = new Instance(name, wire, graceMs)
    try {
      const listening = () => {
        const [complaint] = instance.#complaints
        if (complaint !== undefined) throw new Error(complaint)
        return instance.#port !== undefined
      }
      await eventually(`${name} to listen`, listening, startMs)
    } catch (error) {
      await instance.kill()
      throw error
    }
    return instance
  }

  /** Undefined once it has been told to end. */
  get port(): number | undefined {
    return this.#end === undefined ? this.#port : undefined
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** What it should not have said, and that it ended where nobody ended it. */
  get complaints(): readonly string[] {
    return this.#complaints
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    await this.#endBy('SIGKILL')
    this.redis.close()
  }

  /** As an orchestrator does. @returns the exit code */
  async drain(): Promise<number | null> {
    await this.#endBy('SIGTERM')
    this.redis.close()
    return this.#child.exitCode
  }

  async #endBy(signal: NodeJS.Signals): Promise<void> {
    this.#end = 'expected'
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
  }

  #logged(line: string): void {
    const said: LogLine = JSON.parse(line)
    if (said.msg === 'the keyserver is listening') this.#port = said.port
    if (isComplaint(said)) this.#complain(line)
  }

  #complain(what: string): void {
    this.#complaints.push(`${this.name}: ${what}`)
  }
}

/** Several instances over one Redis. */
export class Instances {
  readonly #redis: RedisServer
  readonly #graceMs: number
  readonly #all: Instance[] = []
  #started = 0
  #successors: Promise<unknown> = Promise.resolve()

  private constructor(redis: RedisServer, graceMs: number) {
    this.#redis = redis
    this.#graceMs = graceMs
  }

  static async start(
    redis: RedisServer,
    options: { readonly count: number; readonly graceMs: number },
  ): Promise<Instances> {
    const instances = new Instances(redis, options.graceMs)
    const starts = Array.from({ length: options.count }, () => instances.#add())
    const failed = (await Promise.allSettled(starts)).find(({ status }) => status === 'rejected')
    if (failed?.status !== 'rejected') return instances
    await instances.stop()
    throw failed.reason
  }

  get living(): readonly Instance[] {
    return this.#all.filter(({ port }) => port !== undefined)
  }

  get complaints(): readonly string[] {
    return this.#all.flatMap(({ complaints }) => complaints)
  }

  /** Ends one, which is not the last, and starts another without waiting for it. */
  async replace(end: () => Promise<void>): Promise<void> {
    if (this.living.length < 2) await this.#successors
    await end()
    this.#successors = Promise.all([this.#successors, this.#add()])
    // `complete` tells.
    this.#successors.catch(() => {})
  }

  /** Waits for those that are coming. */
  async complete(): Promise<void> {
    await this.#successors
  }

  async stop(): Promise<void> {
    await this.#successors.catch(() => {})
    await Promise.all(this.#all.map((instance) => instance.kill()))
  }

  async #add(): Promise<void> {
    this.#started += 1
    const name = `instance ${this.#started}`
    this.#all.push(await Instance.start(name, this.#redis, this.#graceMs))
  }
}
