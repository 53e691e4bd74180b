import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { answerOf } from '../../../keyserver/test/support/answerOf.ts'
import { eventually } from '../../../keyserver/test/support/eventually.ts'
import { heapSnapshotText } from './heapSnapshot.ts'
import type { Answer, Failure, Order } from './orders.ts'
import { childrenOf, processMemory } from './processMemory.ts'

interface Program {
  readonly path: string
  /** Modules that are loaded before it, beside `observedProgram.ts`. */
  readonly preloaded?: readonly string[]
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** Where snapshots have strings whole: V8 cuts them after a thousand characters else. */
const stringLimit = '--heap-snapshot-string-limit=16777216'

/** Servers end with the tests, even where those are broken off. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A server's own program from its source, in a process of its own that takes orders. */
export class ServerProcess {
  readonly port: number
  readonly #child: ChildProcess
  readonly #log: readonly Buffer[]
  readonly #ended: Promise<unknown>

  private constructor(child: ChildProcess, log: readonly Buffer[], port: number) {
    this.#child = child
    this.#log = log
    this.#ended = once(child, 'exit')
    this.port = port
  }

  /** Resolves once the program has logged where it listens. */
  static async start({ path, preloaded = [], args, environment }: Program): Promise<ServerProcess> {
    const imports = ['./observedProgram.ts', ...preloaded].flatMap((module) => [
      '--import',
      new URL(module, import.meta.url).href,
    ])
    const program = fileURLToPath(new URL(`../../../${path}`, import.meta.url))
    const child = spawn(
      process.execPath,
      [stringLimit, '--conditions=conclave:source', ...imports, program, ...args],
      {
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        // Bytes stay bytes: JSON would leave other forms of them in the process.
        serialization: 'advanced',
      },
    )
    running.add(child)
    child.once('exit', () => running.delete(child))
    const log: Buffer[] = []
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => log.push(chunk))
    }
    const port = await eventually(`${path} to listen`, () => {
      const text = Buffer.concat(log).toString()
      if (child.exitCode !== null) throw new Error(`${path} ended: ${text}`)
      return Number(/"port":(\d+).*is listening/.exec(text)?.[1]) || undefined
    })
    return new ServerProcess(child, log, port)
  }

  get log(): Buffer {
    return Buffer.concat(this.#log)
  }

  /** What the process itself has in memory now. */
  memory(): Iterable<Uint8Array> {
    return processMemory(this.#pid)
  }

  /** The same of the processes that it has started, one after the other. */
  childrenMemory(): Iterable<Uint8Array>[] {
    return childrenOf(this.#pid).map(processMemory)
  }

  /** What its JavaScript heap holds now, in a file of this folder that the next one replaces. */
  async heap(folder: string): Promise<Iterable<Uint8Array>> {
    const path = join(folder, `${this.#pid}.heapsnapshot`)
    await this.order({ order: 'snapshot', path })
    return heapSnapshotText(path)
  }

  async order(order: Order): Promise<Answer> {
    const answer = (await answerOf(this.#child, order)) as Answer | Failure | undefined
    if (answer === undefined) throw new Error(`${order.order}: the process has ended: ${this.log}`)
    if ('failed' in answer) throw new Error(`${order.order}: ${answer.failed}`)
    return answer
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  get #pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process has not started')
    return this.#child.pid
  }
}
