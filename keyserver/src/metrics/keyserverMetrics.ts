import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { JobRun } from '../jobs/jobs.ts'
import type { KeyserverHealth } from '../keyserver.ts'
import type { KeyserverObserver } from '../observer.ts'
import type { Store } from '../store/store.ts'

/** What a Prometheus server scrapes, and who has to tell it. */
export interface KeyserverMetrics {
  readonly observer: KeyserverObserver
  /** The time that each step of the store takes. */
  readonly storeStep: (step: keyof Store, ms: number, succeeded: boolean) => void
  readonly jobRan: (run: JobRun) => void
  /** Where sockets and meetings are counted, when somebody asks. */
  watch(health: () => KeyserverHealth): void
  readonly contentType: string
  /** The text format of Prometheus. */
  render(): Promise<string>
}

const prefix = 'conclave_keyserver_'
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const bytes = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]

/**
 * Counters of one process. Labels are request names, codes and reasons, of which there are few; no
 * meeting and nobody is named.
 */
export function createMetrics(): KeyserverMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const meetingsStarted = new Counter({
    name: `${prefix}meetings_started_total`,
    help: 'Groups that were created',
    registers,
  })
  const meetingsEnded = new Counter({
    name: `${prefix}meetings_ended_total`,
    help: 'Groups that ended, by reason',
    labelNames: ['reason'],
    registers,
  })
  const meetingsContinued = new Counter({
    name: `${prefix}meetings_continued_total`,
    help: 'Groups that were reinitialised and continued by another',
    registers,
  })
  const commits = new Counter({
    name: `${prefix}commits_accepted_total`,
    help: 'Commits that ended an epoch',
    registers,
  })
  const proposals = new Counter({
    name: `${prefix}proposals_accepted_total`,
    help: 'Proposals that were put on a log',
    registers,
  })
  const members = new Counter({
    name: `${prefix}members_total`,
    help: 'Members that commits added and removed',
    labelNames: ['change'],
    registers,
  })
  const refusals = new Counter({
    name: `${prefix}requests_refused_total`,
    help: 'Requests that were refused or failed, by request and code; detail is the broken rule',
    labelNames: ['request', 'code', 'detail'],
    registers,
  })
  const cuts = new Counter({
    name: `${prefix}connections_cut_total`,
    help: 'Connections that the keyserver ended, by reason',
    labelNames: ['reason'],
    registers,
  })
  const fanOut = new Histogram({
    name: `${prefix}fan_out_seconds`,
    help: 'From the request to the point where the entry is on its way to everyone',
    labelNames: ['entry'],
    buckets: seconds,
    registers,
  })
  const logEntries = new Histogram({
    name: `${prefix}log_length_entries`,
    help: 'Length of a log, each time that a commit makes it longer',
    buckets: [1, 4, 16, 64, 256, 1024, 4096, 16_384],
    registers,
  })
  const logBytes = new Histogram({
    name: `${prefix}log_commit_bytes`,
    help: 'What a commit adds to its log',
    buckets: bytes,
    registers,
  })
  const storeSteps = new Histogram({
    name: `${prefix}store_step_seconds`,
    help: 'Round trip of a step of the store',
    labelNames: ['step', 'outcome'],
    buckets: seconds,
    registers,
  })
  const jobLag = new Histogram({
    name: `${prefix}job_lag_seconds`,
    help: 'How long after its time a job ran',
    labelNames: ['kind'],
    buckets: [0.01, 0.05, 0.25, 1, 5, 15, 60, 300],
    registers,
  })
  const jobFailures = new Counter({
    name: `${prefix}job_failures_total`,
    help: 'Runs of a job that failed and are tried again or given up',
    labelNames: ['kind'],
    registers,
  })

  const refusalLabels = atMost(500)
  const cutLabels = atMost(50)
  const observer: KeyserverObserver = {
    meetingStarted: () => meetingsStarted.inc(),
    meetingContinued: () => meetingsContinued.inc(),
    meetingEnded: (_group, reason) => meetingsEnded.inc({ reason }),
    committed: (_group, { seq, added, removed, logBytes: size, ms }) => {
      commits.inc()
      members.inc({ change: 'added' }, added.length)
      members.inc({ change: 'removed' }, removed.length)
      fanOut.observe({ entry: 'commit' }, ms / 1000)
      logEntries.observe(seq)
      logBytes.observe(size)
    },
    proposed: (_group, { ms }) => {
      proposals.inc()
      fanOut.observe({ entry: 'proposal' }, ms / 1000)
    },
    refused: (request, code, detail = '') => {
      refusals.labels(...refusalLabels(request, code, detail)).inc()
    },
    cut: (reason) => cuts.labels(...cutLabels(reason)).inc(),
  }
  return {
    observer,
    storeStep: (step, ms, succeeded) => {
      storeSteps.observe({ step, outcome: succeeded ? 'answered' : 'failed' }, ms / 1000)
    },
    jobRan: ({ kind, lateMs, ok }) => {
      jobLag.observe({ kind }, Math.max(0, lateMs) / 1000)
      if (!ok) jobFailures.inc({ kind })
    },
    watch: (health) => watchHealth(registry, health),
    contentType: registry.contentType,
    render: () => registry.metrics(),
  }
}

/** What is counted for all label values that come after too many others. */
const other = 'other'

/** Lets so many different combinations of label values pass; every further one is `other`. */
function atMost(limit: number): (...values: readonly string[]) => readonly string[] {
  const known = new Set<string>()
  return (...values) => {
    const name = values.join('\n')
    if (known.size < limit) known.add(name)
    return known.has(name) ? values : values.map(() => other)
  }
}

function watchHealth(registry: Registry, health: () => KeyserverHealth): void {
  new Gauge({
    name: `${prefix}connections`,
    help: 'Clients that are connected to this instance',
    registers: [registry],
    collect() {
      this.set(health().connections)
    },
  })
  new Gauge({
    name: `${prefix}meetings`,
    help: 'Meetings that this instance follows',
    registers: [registry],
    collect() {
      this.set(health().meetings)
    },
  })
}
