import type { Server } from 'node:http'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium } from '../chromium.ts'
import { buildPage, originOf, serveFiles } from '../media/servedPage.ts'

let browser: Browser
let server: Server
let context: BrowserContext

beforeAll(async () => {
  server = await serveFiles(await buildPage(new URL('./page/', import.meta.url)))
  browser = await launchChromium({ fps: 20 })
  context = await browser.newContext()
}, 120_000)

afterAll(async () => {
  await browser?.close()
  server?.close()
})

async function newTab(): Promise<Page> {
  const tab = await context.newPage()
  await tab.goto(originOf(server))
  return tab
}

const takeIn = (tab: Page, meetingId: string) =>
  tab.evaluate((meetingId) => window.takeSlot(meetingId), meetingId)

describe('the tabs of a browser', () => {
  it('have slots of their own, which are free again when they have gone', async () => {
    const [first, second] = [await newTab(), await newTab()]
    const taken = await Promise.all([takeIn(first, 'standup'), takeIn(second, 'standup')])
    expect(taken.toSorted()).toEqual([0, 1])
    expect(await takeIn(second, 'retro')).toBe(0)
    const third = await newTab()
    expect(await takeIn(third, 'standup')).toBe(2)
    await first.close()
    const fourth = await newTab()
    await expect.poll(() => takeIn(fourth, 'standup')).toBe(taken[0])
  })

  it('give a slot back while they stay', async () => {
    const [first, second] = [await newTab(), await newTab()]
    expect(await takeIn(first, 'daily')).toBe(0)
    await first.evaluate(() => window.releaseSlots())
    await expect
      .poll(async () => {
        const number = await takeIn(second, 'daily')
        await second.evaluate(() => window.releaseSlots())
        return number
      })
      .toBe(0)
  })
})
