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
  /** For `meeting.ended`. */
  readonly reason?: string
}

export type JobHandlers = {
  readonly [K in JobKind]: (job: Extract<Job, { readonly kind: K }>) => Promise<void>
}

/**
 * Work that is to be done later. A job runs at least once, on one instance, never before its time;
 * one whose handler throws is tried again. Scheduling a job of the same content for the same
 * quarter of a second twice runs it once.
 */
export interface Jobs {
  /** Takes up work. Called once, before anything is scheduled. */
  start(handlers: JobHandlers): Promise<void>
  /** @param at milliseconds since the Unix epoch; what is past runs at once */
  schedule(job: Job, at: number): Promise<void>
  /** Lets what is running end; what is due later stays where it outlives the process, or is forgotten. */
  close(): Promise<void>
}
