import { isAbandoned, JobError } from './jobError.ts'
import {
  type DeadLetter,
  defaultJobOptions,
  type Job,
  type JobHandlers,
  type JobOptions,
  type JobService,
} from './jobs.ts'
import { placeOf, type QueueName, queueOf, retryAfter } from './retries.ts'
import { runJob } from './runJob.ts'
import { keepSweeping } from './sweeping.ts'

/** The jobs of one process, on its clock's timers; what is not done when it ends is forgotten. */
export function timerJobs(options: JobOptions): JobService {
  return new TimerJobs(options)
}

/** The longest that setTimeout takes. */
const maxTimerMs = 2 ** 31 - 1
const maxDeadLetters = 1000

interface Entry {
  readonly key: string
  readonly job: Job
  readonly dueAt: number
  /** Runs that have failed since it was scheduled, or retried as a dead letter. */
  failures: number
  /** Runs that have begun. */
  attempts: number
  cancel: () => void
}

interface Queue {
  readonly due: Entry[]
  running: number
}

class TimerJobs implements JobService {
  readonly #options: Required<JobOptions>
  readonly #queues: Readonly<Record<QueueName, Queue>> = {
    meetings: { due: [], running: 0 },
    webhooks: { due: [], running: 0 },
  }
  /** All that have not begun, by key. */
  readonly #waiting = new Map<string, Entry>()
  readonly #runs = new Set<Promise<void>>()
  readonly #dead = new Map<string, DeadLetter>()
  #waitingWebhooks = 0
  #handlers: JobHandlers | undefined
  #closed = false
  #stopSweeping = (): void => {}

  constructor(options: JobOptions) {
    this.#options = { ...defaultJobOptions, ...options }
  }

  readonly deadLetters = {
    list: async (limit: number) => [...this.#dead.values()].reverse().slice(0, limit),
    retry: async (eventId: string) => {
      const letter = this.#dead.get(eventId)
      if (letter === undefined) return false
      this.#enter({ kind: 'webhook', event: letter.event }, 0, letter.attempts)
      this.#dead.delete(eventId)
      return true
    },
  }

  async start(handlers: JobHandlers): Promise<void> {
    this.#handlers = handlers
    this.#stopSweeping = keepSweeping(this, this.#options)
  }

  async schedule(job: Job, at: number): Promise<void> {
    this.#enter(job, at, 0)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopSweeping()
    for (const entry of this.#waiting.values()) entry.cancel()
    this.#waiting.clear()
    for (const queue of Object.values(this.#queues)) queue.due.length = 0
    await Promise.all(this.#runs)
  }

  #enter(job: Job, at: number, attempts: number): void {
    if (this.#closed) throw new JobError('jobs-closed', 'the jobs have been closed')
    const { key, runAt } = placeOf(job, at, this.#options.clock.now())
    if (this.#waiting.has(key)) return
    if (job.kind === 'webhook' && this.#waitingWebhooks >= this.#options.webhookBacklog) {
      throw new JobError('webhook-backlog-full', 'too many webhooks wait to be delivered')
    }
    this.#wait({ key, job, dueAt: runAt, failures: 0, attempts, cancel: () => {} }, runAt)
  }

  #wait(entry: Entry, at: number): void {
    this.#waiting.set(entry.key, entry)
    if (entry.job.kind === 'webhook') this.#waitingWebhooks++
    this.#arm(entry, at)
  }

  #arm(entry: Entry, at: number): void {
    const { clock } = this.#options
    const delayMs = Math.min(Math.max(0, at - clock.now()), maxTimerMs)
    entry.cancel = clock.setTimer(delayMs, () => {
      // Timers of the machine may be a millisecond early, and long waits come in parts.
      if (clock.now() < at) return this.#arm(entry, at)
      const queue = this.#queues[queueOf(entry.job.kind)]
      queue.due.push(entry)
      this.#takeUp(queue)
    })
  }

  #takeUp(queue: Queue): void {
    while (this.#handlers !== undefined && queue.running < this.#options.concurrency) {
      const entry = queue.due.shift()
      if (entry === undefined) return
      this.#waiting.delete(entry.key)
      if (entry.job.kind === 'webhook') this.#waitingWebhooks--
      queue.running++
      const run = this.#run(this.#handlers, entry).finally(() => {
        queue.running--
        this.#runs.delete(run)
        this.#takeUp(queue)
      })
      this.#runs.add(run)
    }
  }

  async #run(handlers: JobHandlers, entry: Entry): Promise<void> {
    entry.attempts++
    try {
      await runJob({ ...this.#options, handlers }, entry.job, {
        attempt: entry.attempts,
        dueAt: entry.dueAt,
      })
    } catch (error) {
      entry.failures++
      this.#failed(entry, error)
    }
  }

  #failed(entry: Entry, error: unknown): void {
    const { clock } = this.#options
    const { job, key } = entry
    const delayMs = isAbandoned(error) ? null : retryAfter(queueOf(job.kind), entry.failures)
    if (delayMs === null) {
      if (job.kind === 'webhook') this.#bury(job.event.id, entry, job.event, error)
      return
    }
    // Where it has been scheduled anew, that run stands in for the retry.
    if (this.#closed || this.#waiting.has(key)) return
    this.#wait(entry, clock.now() + delayMs)
  }

  #bury(id: string, { attempts }: Entry, event: DeadLetter['event'], error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.#dead.set(id, { event, attempts, failedAt: this.#options.clock.now(), reason })
    const [oldest] = this.#dead.keys()
    if (this.#dead.size > maxDeadLetters && oldest !== undefined) this.#dead.delete(oldest)
  }
}
