import type { Participant } from './participant.ts'

/** What one participant saw of another for a while. */
export interface Seen {
  /** The longest time for which the picture stood still, in milliseconds. */
  readonly longestGapMs: number
  readonly keyFrameRequests: number
}

/** What participants saw of each other for a while. */
export interface Watched {
  /** By `receiver ← sender`. */
  readonly seen: ReadonlyMap<string, Seen>
  /** Frames that did not open, by receiver and reason. */
  readonly dropped: Readonly<Record<string, number>>
}

/** A picture that stands still for no longer than this, in milliseconds, is not noticed. */
const UNNOTICED_MS = 150
const LONGER_THAN_CONTROL_MS = 60

/** What is worse than in the same meeting without encryption: a busy machine delays both. */
export function disturbances(control: Watched, encrypted: Watched): string[] {
  return [...encrypted.seen].flatMap(([pair, seen]) => {
    const { longestGapMs = Number.NaN, keyFrameRequests = 0 } = control.seen.get(pair) ?? {}
    const allowed = Math.max(UNNOTICED_MS, longestGapMs + LONGER_THAN_CONTROL_MS)
    const found: string[] = []
    if (!(seen.longestGapMs <= allowed)) found.push(`${pair}: ${seen.longestGapMs} ms`)
    if (seen.keyFrameRequests > keyFrameRequests) found.push(`${pair}: asked for a key frame`)
    return found
  })
}

export function longestGapMs({ seen }: Watched): number {
  return Math.round(Math.max(...Array.from(seen.values(), (each) => each.longestGapMs)))
}

/** What participants who see each other see while something happens. */
export async function watchedDuring(
  participants: readonly Participant[],
  happening: () => Promise<void>,
): Promise<Watched> {
  const before = await readings(participants)
  await happening()
  const after = await readings(participants)

  const names = participants.map(({ name }) => name)
  const seen = new Map<string, Seen>()
  const dropped: Record<string, number> = {}
  for (const [i, receiver] of names.entries()) {
    const [earlier, later] = [before[i], after[i]]
    for (const sender of names) {
      if (sender === receiver) continue
      seen.set(`${receiver} ← ${sender}`, {
        longestGapMs: later?.gaps[sender] ?? Number.NaN,
        keyFrameRequests:
          (later?.keyFrameRequests[sender] ?? Number.NaN) -
          (earlier?.keyFrameRequests[sender] ?? Number.NaN),
      })
    }
    for (const [reason, count] of Object.entries(later?.dropped ?? {})) {
      const more = count - (earlier?.dropped[reason] ?? 0)
      if (more > 0) dropped[`${receiver}: ${reason}`] = more
    }
  }
  return { seen, dropped }
}

interface Reading {
  readonly gaps: Readonly<Record<string, number>>
  readonly keyFrameRequests: Readonly<Record<string, number>>
  readonly dropped: Readonly<Record<string, number>>
}

/** Gaps are those since the reading before. */
function readings(participants: readonly Participant[]): Promise<Reading[]> {
  return Promise.all(
    participants.map(async ({ page }) => {
      const { gaps, received, dropped } = await page.evaluate(async () => ({
        gaps: window.probe.takeLongestGaps(),
        received: await window.probe.received(),
        dropped: await window.probe.framesDropped(),
      }))
      const keyFrameRequests = Object.fromEntries(
        received.map(({ from, keyFrameRequests }) => [from, keyFrameRequests]),
      )
      return { gaps, keyFrameRequests, dropped }
    }),
  )
}
