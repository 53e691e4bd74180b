import { SecureMeeting } from '@conclave/client'
import { expect, vi } from 'vitest'
import type { MeetingServer } from '../../src/meetingServer.ts'
import { everyoneReceives, seconds } from './flow.ts'
import { type Participant, patienceMs } from './participant.ts'
import { type Watched, watchedDuring } from './pictures.ts'

/** Time from one rotation of keys to the next, in seconds. */
const INTERVAL = 3

export interface Rotated extends Watched {
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
  const first = await epochOf(participants)

  let guest: SecureMeeting | undefined
  const watched = await watchedDuring(participants, async () => {
    const begin = performance.now()
    for (let rotation = 0; rotation < rotations; rotation++) {
      await seconds(Math.max(0, rotation * INTERVAL - (performance.now() - begin) / 1000))
      if (guest === undefined) guest = await join(server, meeting, `Guest ${rotation}`)
      else {
        await guest.leave()
        guest = undefined
      }
    }
    await vi.waitFor(
      async () => expect(await epochOf(participants)).toBeGreaterThanOrEqual(first + rotations),
      { timeout: patienceMs, interval: 100 },
    )
    await seconds(1)
  })
  await guest?.leave()
  return { ...watched, epochs: (await epochOf(participants)) - first }
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
