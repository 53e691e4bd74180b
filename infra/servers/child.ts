import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { BenchError } from '../bench/benchError.ts'

/** Milliseconds by the machine's own clock, which all processes have in common. */
export function machineTime(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Milliseconds that all threads of this process have worked. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

type Questions = Readonly<Record<string, (argument: never) => unknown>>

/** A process of its own, which answers its parent's questions one at a time. */
export class Child<Q extends Questions> {
  readonly #process: ChildProcess

  private constructor(child: ChildProcess) {
    this.#process = child
  }

  /**
   * @param program calls `answerParent`
   * @throws BenchError `bench-server-failed`
   */
  static async start<Q extends Questions>(program: URL, argument: unknown): Promise<Child<Q>> {
    const path = fileURLToPath(program)
    const process = fork(path, [JSON.stringify(argument)], { serialization: 'advanced' })
    const child = new Child<Q>(process)
    await child.#heard()
    return child
  }

  async ask<N extends keyof Q & string>(
    name: N,
    ...[argument]: Parameters<Q[N]>
  ): Promise<Awaited<ReturnType<Q[N]>>> {
    if (!this.#process.connected) throw ended(this.#process.exitCode)
    const heard = this.#heard()
    this.#process.send({ name, argument })
    return (await heard) as Awaited<ReturnType<Q[N]>>
  }

  /** Also where it has ended already. */
  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#process
    if (exitCode !== null || signalCode !== null) return
    const exit = once(this.#process, 'exit')
    if (this.#process.connected) this.#process.disconnect()
    await exit
  }

  /** @throws BenchError `bench-server-failed` */
  async #heard(): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly answer: unknown }>()
    const failed = (code: unknown) => reject(ended(code))
    this.#process.once('message', resolve).once('exit', failed)
    try {
      return (await promise).answer
    } finally {
      this.#process.off('message', resolve).off('exit', failed)
    }
  }
}

function ended(code: unknown): BenchError {
  return new BenchError('bench-server-failed', `a process ended with ${code}`)
}

/** In the child: says that it is ready, answers, and ends with its parent. */
export function answerParent<Q extends Questions>(questions: Q): void {
  process.on('message', async ({ name, argument }: { name: keyof Q; argument: never }) => {
    process.send?.({ answer: await questions[name]?.(argument) })
  })
  process.once('disconnect', () => process.exit())
  process.send?.({ answer: 'ready' })
}
