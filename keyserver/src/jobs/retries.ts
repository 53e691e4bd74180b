import type { Job, JobKind } from './jobs.ts'

/** Webhooks wait for somebody else's server, so they must not hold up the rest. */
export type QueueName = 'meetings' | 'webhooks'

export function queueOf(kind: JobKind): QueueName {
  return kind === 'webhook' ? 'webhooks' : 'meetings'
}

/** Runs after which a job is given up: for each queue after about an hour. */
export const maxAttempts: Readonly<Record<QueueName, number>> = { meetings: 720, webhooks: 10 }

/**
 * How long to wait after the `failures`-th failure, in milliseconds, or null where the job is given
 * up: 7 s, 14 s, … 30 min for webhooks; 0.5 s, 1 s, … then every 5 s for the rest.
 */
export function retryAfter(queue: QueueName, failures: number): number | null {
  if (failures >= maxAttempts[queue]) return null
  const growth = 2 ** (failures - 1)
  return queue === 'webhooks' ? 7_000 * growth : Math.min(500 * growth, 5_000)
}

const slotMs = 250

/**
 * When a job runs, and the key under which scheduling it twice is scheduling it once. Times are
 * rounded up, so that of several in one quarter of a second none is run too early. What is due has a
 * key of its own: it must not share the run of a job that began before.
 */
export function placeOf(
  job: Job,
  at: number,
  now: number,
): { readonly key: string; readonly runAt: number } {
  if (job.kind === 'webhook') return { key: job.event.id, runAt: Math.max(at, now) }
  const content =
    job.kind === 'check-group' ? `${job.kind}:${job.meetingId}:${job.groupId}` : job.kind
  if (at <= now) return { key: `${content}:now`, runAt: now }
  const runAt = Math.ceil(at / slotMs) * slotMs
  return { key: `${content}:${runAt}`, runAt }
}
