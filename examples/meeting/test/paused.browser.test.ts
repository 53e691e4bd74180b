import { BLIP_MS, SILENCE_MS } from '@conclave/client/media'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { launchChromium } from '../../../client-sdk/test/chromium.ts'
import type { MeetingServer } from '../src/meetingServer.ts'
import { type BuiltPage, buildPage, probedPage } from './support/buildPage.ts'
import { everyoneReceives } from './support/flow.ts'
import { Participant, patienceMs } from './support/participant.ts'
import { runMeetingServer } from './support/runMeetingServer.ts'

let browser: Browser
let built: BuiltPage
let server: MeetingServer
let alice: Participant
let bob: Participant

beforeAll(async () => {
  built = await buildPage(probedPage)
  server = await runMeetingServer(built.folder)
  browser = await launchChromium({ fps: 20 })
}, 120_000)

beforeEach(async (context) => {
  const url = `${server.url}?media=recorded`
  alice = await Participant.open(browser, 'Alice', url)
  bob = await Participant.open(browser, 'Bob', url)
  for (const each of [alice, bob]) await each.join(context.task.id)
  await everyoneReceives([alice, bob])
  await bobSees('decoding')
})

afterEach(async () => {
  for (const each of [alice, bob]) await each?.close()
})

afterAll(async () => {
  await browser?.close()
  await server?.close()
  await built?.remove()
})

/** Waits until that is what becomes of Alice's camera and microphone, and has for so long. */
async function bobSees(state: string, forMs = 0): Promise<void> {
  await vi.waitFor(
    async () => {
      const receptions = await bob.page.evaluate(() => window.probe.receptions())
      expect(receptions.map((each) => [each.source, each.state]).sort()).toEqual([
        ['camera', state],
        ['microphone', state],
      ])
      for (const each of receptions) expect(each.forMs).toBeGreaterThanOrEqual(forMs)
    },
    { timeout: patienceMs, interval: 200 },
  )
}

async function toggle(): Promise<void> {
  for (const source of ['camera', 'microphone']) {
    await alice.page.getByTestId(`toggle-${source}`).click()
  }
}

/** What Bob is told of media that he cannot be shown, from now on. */
async function newsOf(happening: () => Promise<void>): Promise<readonly string[]> {
  const told = () => bob.page.evaluate(() => window.probe.degradations)
  const { length } = await told()
  await happening()
  return (await told()).slice(length).sort()
}

describe('camera and microphone that somebody turns off', () => {
  it('count as paused, of which nothing is told however long it lasts, and then as decoding', async () => {
    const news = await newsOf(async () => {
      await toggle()
      await bobSees('paused', 2 * SILENCE_MS)
      await toggle()
      await bobSees('decoding')
    })
    expect(news).toEqual([])
  })

  it('count as stalled, which is told, where the SFU is not told', async () => {
    const news = await newsOf(async () => {
      await alice.page.evaluate(() => window.probe.fallSilent())
      await bobSees('stalled', 2 * BLIP_MS)
    })
    expect(news).toEqual(['camera stalled', 'microphone stalled'])
  })
})
