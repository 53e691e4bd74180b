import { ConclaveError } from '@conclave/core'

export type JobErrorCode =
  /** Thrown by a handler: trying again would not help. */
  | 'job-abandoned'
  /** So many webhooks wait to be delivered that no more are taken. */
  | 'webhook-backlog-full'
  /** Nothing is scheduled any more. */
  | 'jobs-closed'

export class JobError extends ConclaveError<JobErrorCode> {
  override readonly name = 'JobError'
}

/** Whether a handler said that trying again would not help. */
export function isAbandoned(error: unknown): boolean {
  return error instanceof JobError && error.code === 'job-abandoned'
}
