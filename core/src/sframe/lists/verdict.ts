/**
 * What is known of who made one track's frames:
 *
 * - `unsigned`: its sender lists no digests
 * - `pending`: it does, and nothing is known yet
 * - `authenticated`: frames are as their sender has signed them, all but a few that lists tell of
 * - `unverified`: lists fail to come or are not its own, or frames come that it cannot list
 * - `forged`: a frame was not made by whom it names, but by another member of the group
 */
export type MediaVerdict = 'unsigned' | 'pending' | 'authenticated' | 'unverified' | 'forged'

/** For how long a forged frame is remembered, in milliseconds. */
export const FORGED_MEMORY_MS = 60_000
/** For how long frames that cannot be listed and lists that are not the sender's are, in milliseconds. */
export const DOUBT_MEMORY_MS = 10_000
/** How long a frame's list may be under way while the sender's frames come, in milliseconds. */
export const LIST_PATIENCE_MS = 3_000
/** How long there may be none of any frame, in milliseconds of frames coming. */
export const LISTLESS_PATIENCE_MS = 10_000

/**
 * Time counts only while frames come: one is settled, and has its list or will not get it, when so
 * many have come after its patience was over. Somebody who pauses is not in doubt for that.
 */
const SETTLING_FRAMES = 8
/** Without a list stay the last frames of a layer that the SFU stops forwarding, and what was lost. */
const MAX_UNPROVEN = 64
const RECENT_FRAMES = 96

/** A frame that opened, the oldest first. Times are the clock's, in milliseconds. */
export interface WitnessedFrame {
  readonly at: number
  /** Whether a list of its sender's has its digest. */
  readonly isProven: boolean
}

export interface Evidence {
  /** Whether the sender lists what it sends now. */
  readonly isListing: boolean
  /** When a frame was last found to be forged, and when something else cast doubt. */
  readonly forgedAt: number | undefined
  readonly doubtedAt: number | undefined
  readonly frames: readonly WitnessedFrame[]
}

/** What the evidence comes to. Nothing is authenticated without frames that lists prove. */
export function verdictOf(evidence: Evidence, now: number): MediaVerdict {
  const { isListing, forgedAt, doubtedAt, frames } = evidence
  if (forgedAt !== undefined && now - forgedAt < FORGED_MEMORY_MS) return 'forged'
  if (!isListing) return 'unsigned'
  if (doubtedAt !== undefined && now - doubtedAt < DOUBT_MEMORY_MS) return 'unverified'

  const settled = settledFrames(frames)
  const recent = settled.slice(-RECENT_FRAMES)
  const unproven = countUnproven(recent)
  const areTooMany = countUnproven(settled) > MAX_UNPROVEN || unproven > RECENT_FRAMES / 2
  if (areTooMany || areListsOverdue(settled)) return 'unverified'
  const proven = frames.slice(-RECENT_FRAMES).filter(({ isProven }) => isProven).length
  return proven > 0 && proven >= unproven ? 'authenticated' : 'pending'
}

function settledFrames(frames: readonly WitnessedFrame[]): readonly WitnessedFrame[] {
  const reached = frames.at(-SETTLING_FRAMES)
  if (reached === undefined) return []
  return frames.filter(({ at }) => at + LIST_PATIENCE_MS <= reached.at)
}

/** Whether several frames that have settled, over a while, are newer than the last one with a list. */
function areListsOverdue(settled: readonly WitnessedFrame[]): boolean {
  const listless = settled.slice(settled.findLastIndex(({ isProven }) => isProven) + 1)
  const [first, last] = [listless[0], listless.at(-1)]
  if (first === undefined || last === undefined || listless.length < SETTLING_FRAMES) return false
  return last.at - first.at >= LISTLESS_PATIENCE_MS
}

function countUnproven(frames: readonly WitnessedFrame[]): number {
  return frames.filter(({ isProven }) => !isProven).length
}
