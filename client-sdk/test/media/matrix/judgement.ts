import type { Handled } from './page/callEnd.ts'
import type { Row } from './rows.ts'

/** What one run of a row has shown; frames and sound in the calmest of a few stretches of time. */
export interface Outcome {
  /** 0 where no video is sent. */
  readonly framesPerSecond: number
  /** Share of the samples played that were made up for want of sound. */
  readonly concealed: number
  readonly freezes: number
  /** Between two frames shown, in milliseconds. */
  readonly longestGapMs: number
  /** Frames that the frame cryptor has opened. */
  readonly opened: number
  /** Frames that were dropped instead of being sent, by reason. */
  readonly droppedAtSender: Readonly<Record<string, number>>
  /** Frames that were dropped instead of being decoded, by reason. */
  readonly droppedAtReceiver: Readonly<Record<string, number>>
  /** What is known of the sender, by source. */
  readonly authenticity: Handled['authenticity']
  /** What of the row did not come about, such as a layer that never arrived. */
  readonly missing: readonly string[]
}

/** A control that shows less proves nothing. */
const LEAST_FRAMES_PER_SECOND = 10
const SHARE_OF_FRAMES = 0.9
const MORE_CONCEALED = 0.02

/** Why a row fails; nothing where it passes. */
export function failings(
  { video }: Pick<Row, 'video'>,
  control: Outcome,
  encrypted: Outcome,
): string[] {
  const failings = [
    ...control.missing.map((what) => `control: ${what}`),
    ...encrypted.missing,
    ...drops('sender', encrypted.droppedAtSender),
    ...drops('receiver', encrypted.droppedAtReceiver),
  ]
  if (encrypted.opened === 0) failings.push('no frame was opened')
  if (video !== undefined && control.framesPerSecond < LEAST_FRAMES_PER_SECOND) {
    failings.push(`control: ${control.framesPerSecond.toFixed(1)} frames/s`)
  }
  if (encrypted.framesPerSecond < SHARE_OF_FRAMES * control.framesPerSecond) {
    failings.push(
      `${encrypted.framesPerSecond.toFixed(1)} frames/s, ${control.framesPerSecond.toFixed(1)} without`,
    )
  }
  if (!(encrypted.concealed <= control.concealed + MORE_CONCEALED)) {
    failings.push(
      `${percent(encrypted.concealed)} concealed, ${percent(control.concealed)} without`,
    )
  }
  return failings
}

/** An empty frame carries nothing, so none is missed. */
function drops(end: string, dropped: Readonly<Record<string, number>>): string[] {
  return Object.entries(dropped).flatMap(([reason, count]) =>
    reason === 'empty-frame' ? [] : [`${count} frames dropped at the ${end}, ${reason}`],
  )
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
