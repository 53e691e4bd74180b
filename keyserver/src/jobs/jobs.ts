import type { Clock } from '@conclave/core'
import type { Logger } from 'pino'

/** Work that is due at a time, on whichever instance takes it up. */
export type Job =
  /** Looks after a group: who is overdue, which instance is gone, whether the meeting has expired. */
  | { readonly kind: 'check-group'; readonly meetingId: string; readonly groupId: string }
  /** Deletes KeyPackages and mail that have expired. */
  | { readonly kind: 'sweep-directory' }
  /** Tells the app's backend; `event` is what the webhook's body will be. */
  | { readonly kind: 'webhook'; readonly event: WebhookEvent }

export type JobKind = Job['kind']

/** What happened in a meeting, as the app's backend is told. Only what the public group shows. */
export interface WebhookEvent {
  /** Unique; the same in every attempt. */
  readonly id: string
  readonly type:
    | 'meeting.started'
    | 'meeting.continued'
    | 'meeting.ended'
    | 'participant.joined'
    | 'participant.left'
    | 'epoch.advanced'
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly meetingId: string
  /** Hexadecimal. */
  readonly groupId: string
  readonly epoch: number
  /** For `participant.…`. */
  readonly participant?: {
    readonly leaf: number
    readonly identity: string
    /** Hexadecimal. */
    readonly deviceKey: string
  }
  /** For `meeting.continued`: the group before, hexadecimal. Everybody in it is in this one. */
  readonly continues?: string
  /** For `meeting.ended`. */
  readonly reason?: string
}

export type JobHandlers = {
  readonly [K in JobKind]: (job: Extract<Job, { readonly kind: K }>) => Promise<void>
}

/**
 * Work that is to be done later. A job runs at least once, on one instance, never before its time;
 * one whose handler throws is tried again (retries.ts). Scheduling a job of the same content for the
 * same quarter of a second twice runs it once, unless it has begun by then.
 *
 * Once started, `sweep-directory` recurs by itself, once over all instances.
 */
export interface Jobs {
  /**
   * Takes up work. Called once, before anything is scheduled.
   *
   * @throws StoreError `store-unreachable`
   */
  start(handlers: JobHandlers): Promise<void>
  /**
   * @param at milliseconds since the Unix epoch; what is past runs at once, what is not may run up
   *   to a quarter of a second late
   * @throws JobError `webhook-backlog-full`, `jobs-closed`; StoreError `store-unreachable`, after
   *   which the job may have been scheduled or not: scheduling it again does no harm
   */
  schedule(job: Job, at: number): Promise<void>
  /** Lets what is running end; what is due later stays where it outlives the process, or is forgotten. */
  close(): Promise<void>
}

/** A webhook that could not be delivered. */
export interface DeadLetter {
  readonly event: WebhookEvent
  /** Deliveries that failed, over all of its retries. */
  readonly attempts: number
  /** When it was given up, in milliseconds since the Unix epoch. */
  readonly failedAt: number
  /** Why the last one failed. */
  readonly reason: string
}

/** Webhooks that could not be delivered: the newest 1,000, where they outlive the process for 7 days. */
export interface DeadLetters {
  /** Newest first. @throws StoreError `store-unreachable` */
  list(limit: number): Promise<readonly DeadLetter[]>
  /**
   * Delivers it again, with all retries. False where there is no such letter.
   *
   * @throws StoreError `store-unreachable`
   */
  retry(eventId: string): Promise<boolean>
}

export interface JobService extends Jobs {
  readonly deadLetters: DeadLetters
}

/** One run of a job, as it has ended. */
export interface JobRun {
  readonly kind: JobKind
  /** Counts from 1, over all instances that took it up. */
  readonly attempt: number
  /** From the moment at which the job was first due, in milliseconds. */
  readonly lateMs: number
  readonly ok: boolean
}

/** What both implementations take. */
export interface JobOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Told of every run; must not throw. */
  readonly onRun?: (run: JobRun) => void
  /** Jobs of a queue that this process runs at the same time: 16. */
  readonly concurrency?: number
  /** Webhooks that may wait, for their first delivery or a retry: 10,000. */
  readonly webhookBacklog?: number
  /** How often `sweep-directory` runs: 10 minutes. */
  readonly sweepEveryMs?: number
}

export const defaultJobOptions = {
  onRun: () => {},
  concurrency: 16,
  webhookBacklog: 10_000,
  sweepEveryMs: 600_000,
} as const
