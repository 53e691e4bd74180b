import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { answerOf } from '../support/answerOf.ts'
import type { Finding } from './hostileSession.ts'
import type { HostingOrders, Measured, Question } from './hosting.ts'

/** What the keyserver may warn of under attack. */
const expectedWarnings = [
  'a commit could not be applied',
  'a commit was undone',
  'lost entries were given back',
]
/** What it may warn of on a machine where Redis is kept from answering for seconds. */
const slowRedis = 'trouble with Redis'
const errorLevel = 50
const warnLevel = 40
/** How our tokens begin: the base64url of `{"alg":`. Less than that stands in random names, too. */
const tokenStart = 'eyJhbGciOi'

interface LogLine {
  readonly level: number
  readonly msg?: string
  readonly request?: string
  readonly code?: string
  readonly detail?: string
}

export function startProgram(name: string, orders: object): ChildProcess {
  const program = fileURLToPath(new URL(name, import.meta.url))
  const flags = [
    '--conditions=conclave:source',
    '--expose-gc',
    '--experimental-strip-types',
    '--disable-warning=ExperimentalWarning',
  ]
  return spawn(process.execPath, [...flags, program, JSON.stringify(orders)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
}

export function linesOf(stream: Readable | null, take: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on('line', take)
}

/** A keyserver in a process of its own, all of whose words are watched. */
export class WatchedKeyserver {
  readonly port: number
  readonly findings: Finding[] = []
  /** The most memory that the process was seen to have, in bytes. */
  peakRss = 0
  commits = 0
  refusals = 0
  /** Requests with the code and detail that they were refused with. */
  readonly kindsOfRefusal = new Set<string>()
  readonly #process: ChildProcess
  #stopping = false

  private constructor(child: ChildProcess, port: number) {
    this.#process = child
    this.port = port
  }

  static async start(orders: HostingOrders = {}): Promise<WatchedKeyserver> {
    const child = startProgram('hostedKeyserver.ts', orders)
    const said: string[] = []
    linesOf(child.stdout, (line) => said.push(line))
    linesOf(child.stderr, (line) => said.push(line))
    const [message] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`the keyserver ended with ${code}: ${said.join('\n')}`)
      }),
    ])
    const server = new WatchedKeyserver(child, (message as { readonly port: number }).port)
    child.stdout?.removeAllListeners()
    server.#watch()
    return server
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** How the process is; undefined where it is no more. */
  async measure(question: Question): Promise<Measured | undefined> {
    const measured = (await answerOf(this.#process, question)) as Measured | undefined
    this.peakRss = Math.max(this.peakRss, measured?.rss ?? 0)
    return measured
  }

  async stop(): Promise<void> {
    this.#stopping = true
    if (!this.running) return
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exited
  }

  #watch(): void {
    const child = this.#process
    linesOf(child.stdout, (line) => this.#takeLine(line))
    linesOf(child.stderr, (line) => this.#found('printed', line))
    child.once('exit', (code, signal) => {
      if (!this.#stopping) this.#found('crashed', `ended with ${code ?? signal}`)
    })
  }

  #takeLine(line: string): void {
    if (line.includes(tokenStart)) this.#found('token-logged', line.slice(0, 200))
    const { level, msg = '', request, code, detail } = JSON.parse(line) as LogLine
    const expected = expectedWarnings.includes(msg) || msg.endsWith(slowRedis)
    if (level >= errorLevel || (level >= warnLevel && !expected)) this.#found('error-logged', line)
    if (msg === 'commit') this.commits += 1
    if (code !== undefined) {
      this.refusals += 1
      this.kindsOfRefusal.add(`${request} ${code} ${detail}`)
    }
  }

  #found(kind: Finding['kind'], detail: string): void {
    if (this.findings.length < 50) this.findings.push({ kind, detail })
  }
}
