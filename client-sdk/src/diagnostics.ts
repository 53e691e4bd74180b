import type {
  AuthenticityStats,
  MediaErrorCode,
  MediaSource,
  ReceptionState,
} from './media/index.ts'

/** What one participant's source comes to here; counters are of frames since it is received. */
export interface ReceiverDiagnostics {
  readonly leaf: number
  /** As the group authenticates it; undefined where nobody has this leaf any more. */
  readonly identity: string | undefined
  readonly source: MediaSource
  readonly state: ReceptionState
  /** For how long it has been so, in milliseconds. */
  readonly forMs: number
  /** The epoch of the last frame that opened. */
  readonly epoch: number | undefined
  readonly opened: number
  readonly waiting: number
  readonly dropped: Readonly<Partial<Record<string, number>>>
  /** Whether the frames that opened were made by whom they name. */
  readonly authenticity: AuthenticityStats
}

/** What one's own source sends; counters are of frames. */
export interface SenderDiagnostics {
  readonly source: MediaSource
  /** The epoch of the last frame that was encrypted. */
  readonly epoch: number | undefined
  readonly protected: number
  readonly dropped: Readonly<Partial<Record<string, number>>>
  /** Lists of digests that were never sent; only where `authenticateMedia` has them made. */
  readonly listsDropped?: number
}

/** Why somebody can or cannot be seen: counters and states, no keys, no content. JSON can hold it. */
export interface MeetingDiagnostics {
  readonly epoch: number
  readonly leaf: number
  readonly members: number
  /** `idle` before any media is protected; where it is not `running`, nothing is carried. */
  readonly worker: 'idle' | 'running' | MediaErrorCode
  readonly senders: readonly SenderDiagnostics[]
  /** Those that are not decoding, or forged, first; 512 at most. */
  readonly receivers: readonly ReceiverDiagnostics[]
  /** How many more there are. */
  readonly receiversOmitted: number
}

/** How many receivers diagnostics tell of. */
export const MAX_RECEIVERS = 512
/** How many of those that a line names. */
const MAX_NAMED = 12

/** Those that are not decoding, or forged, come first, in the order of their leaves. */
export function mostTroubled(receivers: readonly ReceiverDiagnostics[]): {
  readonly receivers: readonly ReceiverDiagnostics[]
  readonly receiversOmitted: number
} {
  const rank = (receiver: ReceiverDiagnostics) => (isWell(receiver) ? 1 : 0)
  const sorted = receivers.toSorted((a, b) => rank(a) - rank(b) || a.leaf - b.leaf)
  return {
    receivers: sorted.slice(0, MAX_RECEIVERS),
    receiversOmitted: Math.max(0, sorted.length - MAX_RECEIVERS),
  }
}

/**
 * One line of printable ASCII for a bug report, of 4,096 characters at most, which names
 * participants by leaf alone.
 */
export function formatDiagnostics(diagnostics: MeetingDiagnostics): string {
  const { epoch, leaf, members, worker, senders, receivers, receiversOmitted } = diagnostics
  const troubled = receivers.filter((receiver) => !isWell(receiver))
  const named = troubled.slice(0, MAX_NAMED)
  const unnamed = troubled.length - named.length + receiversOmitted
  const parts = [
    'conclave-media/1',
    `epoch=${epoch}`,
    `leaf=${leaf}`,
    `members=${members}`,
    `worker=${worker}`,
    ...senders.map(describeSender),
    `receiving=${receivers.length - troubled.length}/${receivers.length + receiversOmitted}`,
    ...named.map(describeReceiver),
    ...(unnamed === 0 ? [] : [`more=${unnamed}`]),
  ]
  return parts.join(' ')
}

function isWell({ state, authenticity }: ReceiverDiagnostics): boolean {
  return (state === 'decoding' || state === 'paused') && authenticity.verdict !== 'forged'
}

function describeSender({ source, epoch, protected: sent, dropped }: SenderDiagnostics): string {
  return `sent(${source} epoch=${epoch ?? '-'} protected=${sent}${describeDrops(dropped)})`
}

function describeReceiver(receiver: ReceiverDiagnostics): string {
  const { leaf, source, state, forMs, epoch, opened, waiting, dropped, authenticity } = receiver
  const counters = `opened=${opened} waiting=${waiting}${describeDrops(dropped)}`
  const seconds = Math.round(forMs / 1000)
  const { verdict } = authenticity
  const sender = verdict === 'unsigned' ? '' : ` sender=${verdict}`
  return `from(${leaf} ${source} ${state} for=${seconds}s epoch=${epoch ?? '-'} ${counters}${sender})`
}

/** The three reasons that most frames were dropped for. */
function describeDrops(dropped: ReceiverDiagnostics['dropped']): string {
  return Object.entries(dropped)
    .toSorted(([, a = 0], [, b = 0]) => b - a)
    .slice(0, 3)
    .map(([reason, count]) => ` ${reason}=${count}`)
    .join('')
}
