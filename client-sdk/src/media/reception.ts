import type { OpenDrop } from './receiveTransform.ts'

/**
 * What becomes of one participant's source here:
 *
 * - `no-frames`: nothing has come yet, or since it was resumed
 * - `paused`: its sender has paused it, as the SFU says
 * - `waiting-for-key`: frames come of an epoch whose key is not here, or of a leaf that is not in it
 * - `wrong-key`: none of this participant's frames has opened in this epoch: one of us has another key
 * - `tampered`: frames fail although the key is right: they are changed or made on the way
 * - `replayed`: only frames come that have come before
 * - `foreign`: what comes is no frame of this participant and source: of another track, of somebody
 *   who was removed, or not encrypted at all
 * - `waiting-for-key-frame`: frames open, and cannot be decoded before the next key frame
 * - `decoding`: all is well
 * - `stalled`: no frames come any more, or they open and the browser decodes none
 */
export type ReceptionState =
  | 'no-frames'
  | 'paused'
  | 'waiting-for-key'
  | 'wrong-key'
  | 'tampered'
  | 'replayed'
  | 'foreign'
  | 'waiting-for-key-frame'
  | 'decoding'
  | 'stalled'

/** How long no frame may come of what was being received, in milliseconds; silence has frames too. */
export const SILENCE_MS = 3_000
/** How long opened frames may go without one's being decoded, in milliseconds. */
export const DECODER_PATIENCE_MS = 1_000

/** What a reason for dropping frames means where no frame opens; nobody sent an `empty-frame`. */
export const STATE_OF_DROP: Readonly<Record<OpenDrop, ReceptionState | undefined>> = {
  'unknown-key': 'waiting-for-key',
  'unknown-sender': 'waiting-for-key',
  'wait-overflow': 'waiting-for-key',
  'wait-expired': 'waiting-for-key',
  'wrong-key': 'wrong-key',
  tampered: 'tampered',
  truncated: 'tampered',
  replayed: 'replayed',
  'malformed-header': 'foreign',
  'malformed-frame': 'foreign',
  'unsupported-codec': 'foreign',
  'wrong-sender': 'foreign',
  'wrong-source': 'foreign',
  'own-frame': 'foreign',
  'removed-sender': 'foreign',
  'stale-incarnation': 'foreign',
  'empty-frame': undefined,
}

/** What has happened since the sample before. */
export interface ReceptionSample {
  readonly opened: number
  readonly dropped: Partial<Readonly<Record<OpenDrop, number>>>
  /** Frames that began to wait for a key. */
  readonly waited: number
  readonly needsKeyFrame: boolean
  /** Pictures, or samples of sound; `undefined` where the browser does not tell. */
  readonly decoded: number | undefined
  readonly paused: boolean
}

/** Times are the clock's, in milliseconds. */
export interface Reception {
  readonly state: ReceptionState
  readonly since: number
  /** When something came last. */
  readonly heardAt: number
  /** Since when opened frames wait to be decoded; `undefined` where none does. */
  readonly owedSince: number | undefined
}

export function newReception(now: number): Reception {
  return { state: 'no-frames', since: now, heardAt: now, owedSince: undefined }
}

/** The state after one more sample. */
export function nextReception(before: Reception, sample: ReceptionSample, now: number): Reception {
  const refusal = refusalOf(sample)
  const heard = sample.opened > 0 || refusal !== undefined || sample.paused
  const heardAt = heard ? now : before.heardAt
  const owedSince = owedAfter(before, sample, now)
  const state = stateAfter(before, sample, { refusal, owedSince, silentFor: now - heardAt, now })
  return { state, since: state === before.state ? before.since : now, heardAt, owedSince }
}

function owedAfter(
  before: Reception,
  { opened, decoded, paused }: ReceptionSample,
  now: number,
): number | undefined {
  if (decoded !== 0 || paused) return undefined
  return before.owedSince ?? (opened > 0 ? now : undefined)
}

function stateAfter(
  before: Reception,
  { opened, decoded, needsKeyFrame, paused }: ReceptionSample,
  evidence: {
    readonly refusal: ReceptionState | undefined
    readonly owedSince: number | undefined
    readonly silentFor: number
    readonly now: number
  },
): ReceptionState {
  const { refusal, owedSince, silentFor, now } = evidence
  if (paused) return 'paused'
  // A slow track's frame is decoded after the sample that it opened in.
  const passes = opened > 0 || (before.owedSince !== undefined && refusal === undefined)
  if (passes && (decoded ?? 0) > 0) return 'decoding'
  const current = before.state === 'paused' ? 'no-frames' : before.state
  if (opened > 0) {
    if (needsKeyFrame) return 'waiting-for-key-frame'
    if (decoded === undefined) return 'decoding'
    const isOverdue = owedSince !== undefined && now - owedSince >= DECODER_PATIENCE_MS
    return isOverdue ? 'stalled' : current
  }
  // What is in clear may look like SFrames of any epoch, so that frames which wait prove nothing.
  if (refusal === 'waiting-for-key' && current === 'foreign') return current
  if (refusal !== undefined) return refusal
  const wasReceived = current === 'decoding' || current === 'waiting-for-key-frame'
  return wasReceived && silentFor >= SILENCE_MS ? 'stalled' : current
}

/** What most of the frames that did not open amount to. */
function refusalOf({ dropped, waited }: ReceptionSample): ReceptionState | undefined {
  const frames = new Map<ReceptionState, number>()
  if (waited > 0) frames.set('waiting-for-key', waited)
  for (const [reason, count] of Object.entries(dropped) as [OpenDrop, number][]) {
    const state = STATE_OF_DROP[reason]
    if (state !== undefined && count > 0) frames.set(state, (frames.get(state) ?? 0) + count)
  }
  let most: ReceptionState | undefined
  for (const [state, count] of frames) {
    if (most === undefined || count > (frames.get(most) ?? 0)) most = state
  }
  return most
}
