import type { OpenDrop, ReceiverStats } from './receiveTransform.ts'
import type { ReceptionSample } from './reception.ts'

/** Counters of one receiver at one time. */
export interface ReceptionCounts {
  readonly stats: Pick<ReceiverStats, 'opened' | 'waiting' | 'needsKeyFrame' | 'dropped'>
  readonly decoded: number | undefined
  readonly paused: boolean
}

/** What has happened between two looks at the counters, or since all of them were zero. */
export function sampleBetween(
  before: ReceptionCounts | undefined,
  { stats, decoded, paused }: ReceptionCounts,
): ReceptionSample {
  const dropped: Partial<Record<OpenDrop, number>> = {}
  for (const [reason, count] of Object.entries(stats.dropped) as [OpenDrop, number][]) {
    if (!isOfWaiting(reason)) dropped[reason] = grown(before?.stats.dropped[reason], count)
  }
  return {
    opened: grown(before?.stats.opened, stats.opened),
    dropped,
    waited: Math.max(
      0,
      waitedSoFar(stats) - (before === undefined ? 0 : waitedSoFar(before.stats)),
    ),
    needsKeyFrame: stats.needsKeyFrame,
    decoded: decoded === undefined ? undefined : grown(before?.decoded, decoded),
    paused,
  }
}

/** Frames that have had to wait, but for those that opened then. */
function waitedSoFar({ waiting, dropped }: ReceptionCounts['stats']): number {
  return waiting + (dropped['wait-expired'] ?? 0) + (dropped['wait-overflow'] ?? 0)
}

function isOfWaiting(reason: OpenDrop): boolean {
  return reason === 'wait-expired' || reason === 'wait-overflow'
}

/** Counters of what was made anew begin at zero again. */
function grown(before: number | undefined, now: number): number {
  return before === undefined || before > now ? now : now - before
}
