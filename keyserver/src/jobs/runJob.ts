import type { Clock } from '@conclave/core'
import type { Logger } from 'pino'
import { isAbandoned } from './jobError.ts'
import type { Job, JobHandlers, JobRun } from './jobs.ts'

interface RunContext {
  readonly handlers: JobHandlers
  readonly clock: Clock
  readonly logger: Logger
  readonly onRun: (run: JobRun) => void
}

/** Runs a job once, and rethrows what its handler throws after it has been logged and counted. */
export async function runJob(
  context: RunContext,
  job: Job,
  about: { readonly attempt: number; readonly dueAt: number },
): Promise<void> {
  const { handlers, clock, logger, onRun } = context
  const { attempt } = about
  const { kind } = job
  const lateMs = Math.max(0, clock.now() - about.dueAt)
  // A job of a newer version's kind has no handler here; it fails until an instance takes it that has.
  const handler = handlers[kind] as (job: Job) => Promise<void>
  try {
    await handler(job)
  } catch (error) {
    const trouble = { job: kind, meeting: meetingOf(job), attempt, err: error }
    if (isAbandoned(error)) logger.error(trouble, 'a job was abandoned')
    else logger.warn(trouble, 'a job failed')
    onRun({ kind, attempt, lateMs, ok: false })
    throw error
  }
  onRun({ kind, attempt, lateMs, ok: true })
}

function meetingOf(job: Job): string | undefined {
  if (job.kind === 'webhook') return job.event.meetingId
  return job.kind === 'check-group' ? job.meetingId : undefined
}
