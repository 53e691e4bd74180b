import { type ChildProcess, fork, type Serializable } from 'node:child_process'
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

/** What a child says before it has been asked anything. */
const ready = 0

interface Asked<Q> {
  readonly question: number
  readonly name: keyof Q
  readonly argument: never
}

interface Answer {
  readonly question: number
  readonly answer: unknown
}

type Questions = Readonly<Record<string, (argument: never) => unknown>>

/** A process of its own, which answers its parent's questions, each as soon as it can. */
export class Child<Q extends Questions> {
  readonly #process: ChildProcess
  #asked = 0

  private constructor(child: ChildProcess) {
    this.#process = child
  }

  /**
   * @param program calls `answerParent`
   * @throws BenchError `bench-server-failed`
   */
  static async start<Q extends Questions>(
    program: URL,
    argument: unknown,
    nodeOptions: readonly string[] = [],
  ): Promise<Child<Q>> {
    const path = fileURLToPath(program)
    const child = new Child<Q>(
      fork(path, [JSON.stringify(argument)], {
        serialization: 'advanced',
        execArgv: [...process.execArgv, ...nodeOptions],
      }),
    )
    await child.#heard(ready)
    return child
  }

  async ask<N extends keyof Q & string>(
    name: N,
    ...[argument]: Parameters<Q[N]>
  ): Promise<Awaited<ReturnType<Q[N]>>> {
    const question = ++this.#asked
    const heard = this.#heard(question, { question, name, argument })
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
  async #heard(question: number, asked?: Serializable): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const heard = (answered: Answer) => {
      if (answered.question === question) resolve(answered.answer)
    }
    const failed = (code: unknown) => reject(ended(code))
    this.#process.on('message', heard).once('exit', failed)
    if (asked !== undefined) {
      // One that is just ending breaks the channel before it is seen to end.
      this.#process.send(asked, (error) => error === null || failed(this.#process.exitCode))
    }
    try {
      return await promise
    } finally {
      this.#process.off('message', heard).off('exit', failed)
    }
  }
}

function ended(code: unknown): BenchError {
  return new BenchError('bench-server-failed', `a process ended with ${code}`)
}

/** In the child: says that it is ready, answers, and ends with its parent. */
export function answerParent<Q extends Questions>(questions: Q): void {
  const answer = (answered: Answer) => process.send?.(answered)
  process.on('message', async ({ question, name, argument }: Asked<Q>) => {
    answer({ question, answer: await questions[name]?.(argument) })
  })
  process.once('disconnect', () => process.exit())
  answer({ question: ready, answer: undefined })
}
