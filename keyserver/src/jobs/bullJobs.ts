import { type Job as BullJob, Queue, UnrecoverableError, Worker } from 'bullmq'
import { StoreError } from '../store/storeError.ts'
import { type BullConnection, bullConnection, type RedisClient } from './bullConnection.ts'
import { isAbandoned, JobError } from './jobError.ts'
import {
  type DeadLetter,
  defaultJobOptions,
  type Job,
  type JobHandlers,
  type JobOptions,
  type JobService,
} from './jobs.ts'
import { maxAttempts, placeOf, type QueueName, retryAfter } from './retries.ts'
import { runJob } from './runJob.ts'
import { keepSweeping } from './sweeping.ts'

export interface BullJobsOptions extends JobOptions {
  /**
   * A client of one server or of a Cluster, whose duplicates are used. Waiting for jobs is a read of
   * up to 2 s, which its `socketTimeout` may not cut short.
   */
  readonly redis: RedisClient
  /** Of all keys, with a hash tag, so that a Cluster keeps them in one slot. */
  readonly prefix?: string
}

/** Jobs in Redis, which all instances of the keyserver share and take up from one another. */
export function bullJobs(options: BullJobsOptions): JobService {
  return new BullJobs(options)
}

const answerMs = 2_000
/** A job is another's when the instance that took it has been silent for so long. */
const lockMs = 5_000
/** A handler that has 10 s for a delivery and a little more. */
const drainMs = 15_000

const jobDefaults = {
  backoff: { type: 'custom' },
  removeOnComplete: true,
  keepLogs: 0,
  stackTraceLimit: 0,
} as const

/** How long a read waits for a job, in seconds. */
const blockSeconds = 2

/**
 * BullMQ would wait for 10 s where a job is due later: too long for a connection that is replaced
 * when it is silent, and for a job whose marker was lost with a Redis that crashed.
 */
class ShortWaitingWorker extends Worker<Job> {
  override get maximumBlockTimeout(): number {
    return blockSeconds
  }
}

class BullJobs implements JobService {
  readonly #options: Required<BullJobsOptions>
  readonly #connection: BullConnection
  readonly #queues: Readonly<Record<QueueName, Queue<Job>>>
  #workers: readonly Worker<Job>[] = []
  #closing: Promise<void> | undefined
  readonly #runs = new Set<Promise<void>>()
  #stopSweeping = (): void => {}
  readonly #troubles = new Set<string>()

  constructor(options: BullJobsOptions) {
    this.#options = { ...defaultJobOptions, prefix: '{conclave-jobs}', ...options }
    this.#connection = bullConnection(options.redis, {
      ready: () => this.#troubles.clear(),
      failed: this.#failed,
    })
    this.#queues = {
      meetings: this.#queue('meetings', true),
      webhooks: this.#queue('webhooks', { count: 1000, age: 7 * 86_400 }),
    }
  }

  readonly deadLetters = {
    list: async (limit: number) => {
      const failed = await this.#answered(this.#queues.webhooks.getFailed(0, limit - 1))
      return failed.flatMap(deadLetterOf)
    },
    retry: async (eventId: string) => {
      const job = await this.#answered(this.#queues.webhooks.getJob(eventId))
      if (job === undefined || !(await this.#answered(job.isFailed()))) return false
      await this.#answered(job.retry('failed', { resetAttemptsMade: true }))
      return true
    },
  }

  async start(handlers: JobHandlers): Promise<void> {
    const { meetings, webhooks } = this.#queues
    await this.#ready([meetings, webhooks])
    this.#workers = [this.#worker('meetings', handlers), this.#worker('webhooks', handlers)]
    await this.#ready(this.#workers)
    this.#stopSweeping = keepSweeping(this, this.#options)
  }

  async schedule(job: Job, at: number): Promise<void> {
    if (this.#closing !== undefined) throw new JobError('jobs-closed', 'the jobs have been closed')
    const now = this.#options.clock.now()
    const { key, runAt } = placeOf(job, at, now)
    const due = { timestamp: now, delay: runAt - now }
    const { meetings, webhooks } = this.#queues
    if (job.kind !== 'webhook') {
      // At most one waits for each key; one that is wanted while it runs follows it.
      const deduplication = { id: key, keepLastIfActive: true }
      await this.#answered(meetings.add(job.kind, job, { ...due, deduplication }))
      return
    }
    if ((await this.#answered(webhooks.count())) >= this.#options.webhookBacklog) {
      throw new JobError('webhook-backlog-full', 'too many webhooks wait to be delivered')
    }
    await this.#answered(webhooks.add(job.kind, job, { ...due, jobId: key }))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#stopSweeping()
    const closed = Promise.all(this.#workers.map((worker) => worker.close()))
    // What does not end in time, or whose end Redis does not hear of, another instance takes up.
    await this.#within(drainMs, Promise.allSettled(this.#runs)).catch(this.#failed)
    await this.#within(answerMs, closed).catch(this.#failed)
    await Promise.all(Object.values(this.#queues).map((queue) => queue.close()))
    this.#connection.destroy()
  }

  #queue(
    name: QueueName,
    removeOnFail: true | { readonly count: number; readonly age: number },
  ): Queue<Job> {
    const queue = new Queue<Job>(name, {
      connection: this.#connection.client,
      prefix: this.#options.prefix,
      defaultJobOptions: { ...jobDefaults, attempts: maxAttempts[name], removeOnFail },
      // Nobody reads these events.
      streams: { events: { maxLen: 100 } },
    })
    queue.on('error', this.#failed)
    return queue
  }

  #worker(name: QueueName, handlers: JobHandlers): Worker<Job> {
    const run = async (job: BullJob<Job>): Promise<void> => {
      const dueAt = job.timestamp + (job.opts.delay ?? 0)
      const about = { attempt: job.attemptsStarted, dueAt }
      const running = runJob({ ...this.#options, handlers }, job.data, about)
      this.#runs.add(running)
      try {
        await running
      } catch (error) {
        if (isAbandoned(error)) throw new UnrecoverableError(reasonOf(error))
        throw error
      } finally {
        this.#runs.delete(running)
      }
    }
    const worker = new ShortWaitingWorker(name, run, {
      connection: this.#connection.client,
      prefix: this.#options.prefix,
      concurrency: this.#options.concurrency,
      lockDuration: lockMs,
      stalledInterval: lockMs / 2,
      // That an instance was killed says nothing against the job.
      maxStalledCount: maxAttempts[name],
      runRetryDelay: 1_000,
      drainDelay: blockSeconds,
      settings: { backoffStrategy: (failures) => retryAfter(name, failures) ?? -1 },
    })
    worker.on('error', this.#failed)
    return worker
  }

  /** One whose first connection fails stays broken for good, so that is waited for. */
  async #ready(parts: readonly { waitUntilReady(): Promise<unknown> }[]): Promise<void> {
    await this.#answered(Promise.all(parts.map((part) => part.waitUntilReady())))
  }

  /** @throws StoreError `store-unreachable` */
  async #answered<T>(reply: Promise<T>): Promise<T> {
    try {
      return await this.#within(answerMs, reply)
    } catch (cause) {
      throw new StoreError('store-unreachable', 'Redis does not take the job', { cause })
    }
  }

  async #within<T>(ms: number, work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>()
    const cancel = this.#options.clock.setTimer(ms, () =>
      late.reject(new Error(`not done in ${ms} ms`)),
    )
    try {
      return await Promise.race([work, late.promise])
    } finally {
      cancel()
    }
  }

  /** Connections fail again and again while Redis is away: each way of it is told once. */
  readonly #failed = (error: unknown): void => {
    const kind = error instanceof Error ? error.constructor.name : typeof error
    if (this.#troubles.has(kind)) return
    this.#troubles.add(kind)
    this.#options.logger.warn({ err: error }, 'jobs: trouble with Redis')
  }
}

function deadLetterOf(job: BullJob<Job>): DeadLetter[] {
  if (job.data.kind !== 'webhook') return []
  const { event } = job.data
  const { attemptsStarted: attempts, finishedOn: failedAt = 0, failedReason: reason = '' } = job
  return [{ event, attempts, failedAt, reason }]
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
