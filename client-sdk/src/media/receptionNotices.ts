import type { ReceptionState } from './reception.ts'

/** What lasts less is not told, in milliseconds. */
export const BLIP_MS = 500
/** The same of a track that begins, whose sender may not have got going. */
export const FIRST_FRAME_PATIENCE_MS = 3_000
/** At most one degradation of a track is told in this time, in milliseconds. */
export const DEGRADED_INTERVAL_MS = 2_000

/** What has been told of one track; times are the clock's, in milliseconds. */
export interface Notices {
  /** Since when it has been neither decoding nor paused. */
  readonly troubledSince: number | undefined
  /** The state that was told last, until the recovery from it was told. */
  readonly told: ReceptionState | undefined
  readonly toldAt: number
}

export type Notice =
  | { readonly type: 'degraded'; readonly state: ReceptionState; readonly since: number }
  | { readonly type: 'recovered' }

export const nothingTold: Notices = {
  troubledSince: undefined,
  told: undefined,
  toldAt: Number.NEGATIVE_INFINITY,
}

/**
 * What is to be told of a track in this state: degradations seldom and none that is a blip, a
 * recovery from what was told always. Whoever pauses has not recovered yet.
 */
export function nextNotices(
  before: Notices,
  state: ReceptionState,
  now: number,
): { readonly notices: Notices; readonly notice: Notice | undefined } {
  const { told, toldAt } = before
  if (state === 'paused') {
    return { notices: { told, toldAt, troubledSince: undefined }, notice: undefined }
  }
  if (state === 'decoding') {
    const notices = { told: undefined, toldAt, troubledSince: undefined }
    return { notices, notice: told && { type: 'recovered' } }
  }
  const since = before.troubledSince ?? now
  const patience = state === 'no-frames' ? FIRST_FRAME_PATIENCE_MS : BLIP_MS
  const isDue = now - since >= patience && now - toldAt >= DEGRADED_INTERVAL_MS
  if (told === state || !isDue) {
    return { notices: { told, toldAt, troubledSince: since }, notice: undefined }
  }
  return {
    notices: { told: state, toldAt: now, troubledSince: since },
    notice: { type: 'degraded', state, since },
  }
}
