import type { Sfu } from '@conclave/sfu'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { launchChromium } from '../../../client-sdk/test/chromium.ts'
import type { MeetingServer } from '../src/meetingServer.ts'
import { type BuiltPage, buildPage, probedPage } from './support/buildPage.ts'
import { everyoneReceives, seconds } from './support/flow.ts'
import { Participant } from './support/participant.ts'
import { longestGapMs, type Watched, watchedDuring } from './support/pictures.ts'
import { runMeetingServer } from './support/runMeetingServer.ts'

/** Ten times what the first picture should take. */
const CEILING_MS = 3_000
/** Ten times what is noticed: four pages on two cores hold each other up while one of them joins. */
const FROZEN_MS = 1_500
const STINGY = 'stingy'

let browser: Browser
let page: BuiltPage
let server: MeetingServer
let meetings = 0

beforeAll(async () => {
  page = await buildPage(probedPage)
  server = await runMeetingServer(page.folder)
  refuseKeyFrames(server.sfu)
  browser = await launchChromium({ fps: 30 })
}, 120_000)

afterAll(async () => {
  await browser?.close()
  await server?.close()
  await page?.remove()
})

/**
 * A fault: in some meetings the SFU asks for a layer's key frame once in forty seconds. One that is
 * lost while the first two connect so comes again before they are given up, and none for who joins.
 */
function refuseKeyFrames({ observer }: Sfu): void {
  observer.on('newroom', ({ meeting, router }) => {
    if (!meeting.startsWith(STINGY)) return
    const createTransport = router.createWebRtcTransport.bind(router)
    router.createWebRtcTransport = async (options) => {
      const transport = await createTransport(options)
      const produce = transport.produce.bind(transport)
      transport.produce = (made) => produce({ ...made, keyFrameRequestDelay: 40_000 })
      return transport
    }
  })
}

interface Joined {
  /** What those who were there saw of each other meanwhile. */
  readonly present: Watched
  /** From the track to its first picture at who joined, in milliseconds, by sender. */
  readonly firstPictures: Readonly<Record<string, number>>
}

/** Dave joins others who all send. */
async function joined(
  media: 'recorded' | 'clear',
  names: readonly string[],
  meeting = `joiner-${++meetings}`,
): Promise<Joined> {
  const participants: Participant[] = []
  const arriving = async (name: string) => {
    const participant = await Participant.open(browser, name, `${server.url}?media=${media}`)
    participants.push(participant)
    return participant
  }
  try {
    for (const name of names) await (await arriving(name)).join(meeting)
    const there = [...participants]
    await everyoneReceives(there)
    for (const each of there) await each.page.evaluate(() => window.probe.watchPictures())
    // A page that loads takes the time of those that are there.
    const dave = await arriving('Dave')
    await seconds(2)
    let firstPictures: Joined['firstPictures'] = {}
    const present = await watchedDuring(there, async () => {
      await dave.join(meeting)
      await vi
        .waitFor(
          async () => {
            firstPictures = await dave.page.evaluate(() => window.probe.firstPictures())
            expect(Object.keys(firstPictures)).toHaveLength(names.length)
          },
          { timeout: 2 * CEILING_MS, interval: 100 },
        )
        .catch(() => {})
      await seconds(1)
    })
    return { present, firstPictures }
  } finally {
    for (const participant of participants) await participant.close()
  }
}

/** Of those who were there, whose picture froze at whom, and who asked whom for a key frame. */
function disturbed({ present }: Joined): string[] {
  return Array.from(present.seen).flatMap(([pair, { longestGapMs, keyFrameRequests }]) => {
    const found: string[] = []
    if (!(longestGapMs <= FROZEN_MS)) found.push(`${pair}: ${longestGapMs} ms`)
    if (keyFrameRequests !== 0) found.push(`${pair}: asked for a key frame`)
    return found
  })
}

/** Of whom there was no picture in time. */
function late({ firstPictures }: Joined, names: readonly string[]): string[] {
  return names.filter((name) => !((firstPictures[name] ?? Number.NaN) <= CEILING_MS))
}

function longestMs({ firstPictures }: Joined): number {
  return Math.round(Math.max(...Object.values(firstPictures)))
}

describe('somebody who joins three who send', () => {
  const three = ['Alice', 'Bob', 'Carol']

  it('sees them at once, and disturbs none of them', async () => {
    const control = await joined('clear', three)
    const encrypted = await joined('recorded', three)
    const figures = {
      firstPictureMs: longestMs(encrypted),
      controlMs: longestMs(control),
      longestGapMs: longestGapMs(encrypted.present),
      controlGapMs: longestGapMs(control.present),
    }
    console.info(figures)
    expect(late(encrypted, three)).toEqual([])
    expect(disturbed(encrypted)).toEqual([])
    expect(encrypted.present.seen.size).toBe(6)
    expect(encrypted.present.dropped).toEqual({})
  }, 600_000)
})

describe('somebody who joins where the SFU asks for no key frame', () => {
  it('is found to see nothing', async () => {
    const names = ['Alice', 'Bob']
    expect(late(await joined('clear', names, STINGY), names)).not.toEqual([])
  }, 120_000)
})
