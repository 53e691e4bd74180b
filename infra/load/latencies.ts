import { percentile } from '../bench/keyserver/samples.ts'
import type { ClientRecord } from './loadClient.ts'
import type { PhaseRun } from './meetingLoad.ts'

/** Milliseconds. */
export interface Summary {
  readonly p50: number
  readonly p95: number
  readonly max: number
}

/** Undefined where there is nothing. */
export function summaryOf(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined
  return {
    p50: percentile(values, 50),
    p95: percentile(values, 95),
    max: percentile(values, 100),
  }
}

type Span = Pick<PhaseRun, 'startedAt' | 'endedAt'>
type Course = Pick<PhaseRun, 'startedAt' | 'endedAt' | 'entries'>

function within({ startedAt, endedAt }: Span, at: number | undefined): at is number {
  return at !== undefined && at >= startedAt && at <= endedAt
}

export interface JoinTimes {
  /** From the call to the first key. */
  readonly total: readonly number[]
  /** Until the keyserver has put the joiner on its list. */
  readonly listed: readonly number[]
  /** From there to the Welcome. */
  readonly waiting: readonly number[]
  /** From the Welcome to the first key. */
  readonly entering: readonly number[]
}

/** Of those who began to join in this phase. */
export function joinTimes(records: readonly ClientRecord[], phase: Span): JoinTimes {
  const joined = records.filter(({ joinCalledAt }) => within(phase, joinCalledAt))
  const between = (
    from: (record: ClientRecord) => number | undefined,
    to: (record: ClientRecord) => number | undefined,
  ) =>
    joined.flatMap((record) => {
      const [start, end] = [from(record), to(record)]
      return start === undefined || end === undefined ? [] : [end - start]
    })
  const firstKey = ({ installed }: ClientRecord) => installed[0]?.at
  return {
    total: between(({ joinCalledAt }) => joinCalledAt, firstKey),
    listed: between(
      ({ joinCalledAt }) => joinCalledAt,
      ({ waitingAt }) => waitingAt,
    ),
    waiting: between(
      ({ waitingAt }) => waitingAt,
      ({ welcomedAt }) => welcomedAt,
    ),
    entering: between(({ welcomedAt }) => welcomedAt, firstKey),
  }
}

/**
 * For each who left in this phase: from the call to the moment when everybody who was in the meeting
 * then, and has not left it before that, has installed an epoch without the leaver.
 */
export function leaveTimes(records: readonly ClientRecord[], phase: Span): readonly number[] {
  return records.flatMap(({ name, leaf, leaveCalledAt }) => {
    if (leaf === undefined || !within(phase, leaveCalledAt)) return []
    const without = records
      .filter((record) => record.name !== name && wasIn(record, leaveCalledAt))
      .map(({ installed }) =>
        installed.find(({ at, removed }) => at >= leaveCalledAt && removed.includes(leaf)),
      )
      .flatMap((epoch) => (epoch === undefined ? [] : [epoch.at - leaveCalledAt]))
    return without.length === 0 ? [] : [Math.max(...without)]
  })
}

export interface TurnTimes {
  /** From the first news of an epoch to the turn of whoever has committed. */
  readonly waiting: readonly number[]
  /** From there to the commit's departure. */
  readonly making: readonly number[]
  /** From there to the keyserver's log. */
  readonly ordering: readonly number[]
  /** From there to the last member that holds the new epoch's key. */
  readonly spreading: readonly number[]
}

/** Of each commit that has won. */
export function turnTimes(records: readonly ClientRecord[], phase: Course): TurnTimes {
  const won = records.flatMap((record) => record.won).filter(({ sentAt }) => within(phase, sentAt))
  const commits = phase.entries.filter((entry) => entry.kind === 'commit')
  const appendedAt = new Map(commits.map(({ seq, at }) => [seq, at]))
  const heldAt = new Map<number, number>()
  for (const { epoch, at } of records.flatMap(({ installed }) => installed)) {
    heldAt.set(epoch, Math.max(at, heldAt.get(epoch) ?? 0))
  }
  return {
    waiting: won.flatMap(({ turn }) => (turn ? [Math.max(0, turn.at - turn.newsAt)] : [])),
    making: won.flatMap(({ turn, sentAt }) => (turn ? [sentAt - turn.at] : [])),
    ordering: won.flatMap(({ seq, sentAt }) => {
      const at = appendedAt.get(seq)
      return at === undefined ? [] : [at - sentAt]
    }),
    spreading: commits.flatMap(({ epoch, at }) => {
      const held = heldAt.get(epoch + 1)
      return held === undefined ? [] : [held - at]
    }),
  }
}

/** From a call of `leave` to the leaver's word in the log. */
export function goodbyeTimes(records: readonly ClientRecord[], phase: Course): readonly number[] {
  const proposedAt = phase.entries.flatMap(({ kind, at }) => (kind === 'proposal' ? [at] : []))
  return records.flatMap(({ leaveCalledAt }) => {
    if (!within(phase, leaveCalledAt)) return []
    const next = proposedAt.find((at) => at >= leaveCalledAt)
    return next === undefined ? [] : [next - leaveCalledAt]
  })
}

export function lostCommits(records: readonly ClientRecord[], phase: Span): number {
  return records.flatMap(({ lostAt }) => lostAt.filter((at) => within(phase, at))).length
}

export interface Extent {
  /** From the first call of a phase to its last. */
  readonly spreadMs: number
  /** From the first call to the last installed epoch. */
  readonly tookMs: number
}

export function courseOf(records: readonly ClientRecord[], phase: Span): Extent {
  let [first, last, ended] = [Number.POSITIVE_INFINITY, 0, 0]
  for (const { joinCalledAt, leaveCalledAt, installed } of records) {
    for (const at of [joinCalledAt, leaveCalledAt]) {
      if (!within(phase, at)) continue
      first = Math.min(first, at)
      last = Math.max(last, at)
    }
    for (const { at } of installed) if (within(phase, at)) ended = Math.max(ended, at)
  }
  return { spreadMs: last - first, tookMs: ended - first }
}

function wasIn({ installed: [first] }: ClientRecord, at: number): boolean {
  return first !== undefined && first.at < at
}
