import { SecureMeeting } from '@conclave/client'
import { expect, vi } from 'vitest'
import type { MeetingServer } from '../../src/meetingServer.ts'
import { everyoneReceives, seconds } from './flow.ts'
import { type Participant, patienceMs } from './participant.ts'

/** Time from one rotation of keys to the next, in seconds. */
const INTERVAL = 3

/** What one participant saw of another while keys rotated. */
export interface Seen {
  /** The longest time for which the picture stood still, in milliseconds. */
  readonly longestGapMs: number
  readonly keyFrameRequests: number
}

export interface Rotated {
  /** By `receiver ← sender`. */
  readonly seen: ReadonlyMap<string, Seen>
  /** Frames that did not open, by receiver and reason. */
  readonly dropped: Readonly<Record<string, number>>
  readonly epochs: number
}

/** What participants who send and see each other see while others come and go. */
export async function rotatedWhileAllSend(
  server: MeetingServer,
  meeting: string,
  participants: readonly Participant[],
  rotations: number,
): Promise<Rotated> {
  await everyoneReceives(participants)
  for (const { page } of participants) await page.evaluate(() => window.probe.watchPictures())
  await seconds(2)
  const before = await readings(participants)
  const first = await epochOf(participants)

  const begin = performance.now()
  let guest: SecureMeeting | undefined
  for (let rotation = 0; rotation < rotations; rotation++) {
    await seconds(Math.max(0, rotation * INTERVAL - (performance.now() - begin) / 1000))
    if (guest === undefined) guest = await join(server, meeting, `Guest ${rotation}`)
    else {
      await guest.leave()
      guest = undefined
    }
  }
  const names = participants.map(({ name }) => name)
  await vi.waitFor(
    async () => expect(await epochOf(participants)).toBeGreaterThanOrEqual(first + rotations),
    { timeout: patienceMs, interval: 100 },
  )
  await seconds(1)
  const after = await readings(participants)
  await guest?.leave()

  const seen = new Map<string, Seen>()
  for (const [i, receiver] of names.entries()) {
    for (const sender of names) {
      if (sender === receiver) continue
      const [earlier, later] = [before[i], after[i]]
      seen.set(`${receiver} ← ${sender}`, {
        longestGapMs: later?.gaps[sender] ?? Number.NaN,
        keyFrameRequests:
          (later?.keyFrameRequests[sender] ?? Number.NaN) -
          (earlier?.keyFrameRequests[sender] ?? Number.NaN),
      })
    }
  }
  const dropped: Record<string, number> = {}
  for (const [i, name] of names.entries()) {
    for (const [reason, count] of Object.entries(after[i]?.dropped ?? {})) {
      const more = count - (before[i]?.dropped[reason] ?? 0)
      if (more > 0) dropped[`${name}: ${reason}`] = more
    }
  }
  return { seen, dropped, epochs: (await epochOf(participants)) - first }
}

interface Reading {
  readonly gaps: Readonly<Record<string, number>>
  readonly keyFrameRequests: Readonly<Record<string, number>>
  readonly dropped: Readonly<Record<string, number>>
}

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

/** The oldest epoch that one of them shows. */
async function epochOf(participants: readonly Participant[]): Promise<number> {
  const shown = await Promise.all(participants.map((participant) => participant.shown()))
  return Math.min(...shown.map(({ epoch }) => epoch))
}

/** Somebody without camera or microphone. */
async function join(
  server: MeetingServer,
  meetingId: string,
  identity: string,
): Promise<SecureMeeting> {
  return await SecureMeeting.join({
    keyserver: new URL('/keyserver', server.url).href,
    meetingId,
    token: async () => {
      const body = JSON.stringify({ identity, meeting: meetingId })
      const response = await fetch(new URL('/dev/token', server.url), { method: 'POST', body })
      return ((await response.json()) as { token: string }).token
    },
    identity: { id: identity },
    trust: { policy: 'open' },
  })
}
