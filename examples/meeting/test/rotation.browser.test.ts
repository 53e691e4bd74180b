import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium } from '../../../client-sdk/test/chromium.ts'
import { report, runsOr } from '../../../core/test/campaign.ts'
import type { MeetingServer } from '../src/meetingServer.ts'
import { type BuiltPage, buildPage, probedPage } from './support/buildPage.ts'
import { Participant } from './support/participant.ts'
import { disturbances, longestGapMs } from './support/pictures.ts'
import { type Rotated, rotatedWhileAllSend } from './support/rotation.ts'
import { runMeetingServer } from './support/runMeetingServer.ts'

const ROTATIONS = runsOr(5)
/** The machine may be busy with something else for a while. */
const ATTEMPTS = 3

let browser: Browser
let page: BuiltPage
let server: MeetingServer
let meetings = 0

beforeAll(async () => {
  page = await buildPage(probedPage)
  server = await runMeetingServer(page.folder)
  browser = await launchChromium({ fps: 30 })
}, 120_000)

afterAll(async () => {
  await browser?.close()
  await server?.close()
  await page?.remove()
})

async function rotated(
  media: 'recorded' | 'clear' | 'forgetful',
  rotations = ROTATIONS,
): Promise<Rotated> {
  const meeting = `rotation-${++meetings}`
  const participants: Participant[] = []
  try {
    for (const name of ['Alice', 'Bob', 'Carol']) {
      const participant = await Participant.open(browser, name, `${server.url}?media=${media}`)
      participants.push(participant)
      await participant.join(meeting)
    }
    return await rotatedWhileAllSend(server, meeting, participants, rotations)
  } finally {
    for (const participant of participants) await participant.close()
  }
}

describe('keys that rotate while three browsers send', () => {
  it('freeze no picture, lose no frame and ask for no key frame', async (context) => {
    let control: Rotated
    let encrypted: Rotated
    let attempt = 0
    do {
      attempt++
      control = await rotated('clear')
      encrypted = await rotated('recorded')
    } while (disturbances(control, encrypted).length > 0 && attempt < ATTEMPTS)

    const figures = {
      rotations: ROTATIONS,
      epochs: encrypted.epochs,
      longestGapMs: longestGapMs(encrypted),
      controlMs: longestGapMs(control),
      attempt,
    }
    report(context, figures)
    console.info(figures)
    expect(encrypted.seen.size).toBe(6)
    expect(encrypted.epochs).toBeGreaterThanOrEqual(ROTATIONS)
    expect(disturbances(control, encrypted)).toEqual([])
    expect(encrypted.dropped).toEqual({})
  }, 900_000)

  it('are seen to lose frames where old keys go at once', async () => {
    const { dropped } = await rotated('forgetful', 3)
    expect(Object.keys(dropped).join()).toContain('removed-sender')
  }, 120_000)
})
