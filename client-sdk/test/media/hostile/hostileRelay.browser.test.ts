import type { Server } from 'node:http'
import type { MediaSource } from '@conclave/core/sframe'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { launchChromium } from '../../chromium.ts'
import { buildPage, originOf, serveFiles } from '../servedPage.ts'
import type { SourceReport } from './page/relayedCall.ts'
import type { RelayAttack } from './page/relayMessages.ts'

const PATIENCE_MS = 30_000
/** Attacks on each source. */
const TIMES = 5

type Report = Readonly<Record<string, SourceReport>>

const ALL: readonly MediaSource[] = ['camera', 'microphone', 'screen']

const attacks: readonly (readonly [
  does: string,
  counted: string,
  attack: RelayAttack,
  attacked: readonly MediaSource[],
])[] = [
  ['flips bits', 'tampered', 'flip', ALL],
  ['cuts frames short', 'truncated', 'cut', ALL],
  ['gives one picture out as the other', 'wrong-source', 'swap', ['camera', 'screen']],
  ['sends frames twice', 'replayed', 'replay', ALL],
  ['sends frames of its own', 'malformed-header', 'inject', ALL],
]

let browser: Browser
let server: Server
let context: BrowserContext
let page: Page

beforeAll(async () => {
  server = await serveFiles(await buildPage(new URL('./page/', import.meta.url)))
  browser = await launchChromium({ fps: 30 })
}, 120_000)

afterAll(async () => {
  await browser?.close()
  server?.close()
})

beforeEach(async () => {
  context = await browser.newContext({ permissions: ['camera', 'microphone'] })
  page = await context.newPage()
  await page.goto(originOf(server))
})

afterEach(async () => {
  await context?.close()
})

async function start(unprotect: boolean): Promise<void> {
  await page.evaluate(async (unprotect) => {
    window.relayedCall = new window.RelayedCall()
    await window.relayedCall.start(unprotect)
  }, unprotect)
}

function report(): Promise<Report> {
  return page.evaluate(() => window.relayedCall.report())
}

function attack(what: RelayAttack, sources: readonly MediaSource[]): Promise<void> {
  const order = { what, sources, times: TIMES }
  return page.evaluate(
    ({ what, sources, times }) => window.relayedCall.attack(what, sources, times),
    order,
  )
}

async function reported(condition: (now: Report) => void, timeout = PATIENCE_MS): Promise<void> {
  await vi.waitFor(async () => condition(await report()), { timeout, interval: 200 })
}

/** Pictures of a second, a second of sound. */
function goOn(from: Report): (now: Report) => void {
  return (now) => {
    expect(Object.keys(now).sort()).toEqual(ALL)
    for (const [source, { shown }] of Object.entries(now)) {
      const more = source === 'microphone' ? 48_000 : 30
      expect(shown, source).toBeGreaterThanOrEqual((from[source]?.shown ?? 0) + more)
    }
  }
}

function droppedOnly(counted: string, attacked: readonly MediaSource[]): (now: Report) => void {
  return (now) => {
    for (const source of attacked) {
      const { 'empty-frame': _, ...dropped } = now[source]?.dropped ?? {}
      expect(dropped, source).toEqual({ [counted]: TIMES })
    }
  }
}

describe('a hostile relay between two ends of a call in Chromium', {
  timeout: 4 * PATIENCE_MS,
}, () => {
  it.each(attacks)(
    'that %s has them dropped as %s, and the rest shown',
    async (_, counted, what, attacked) => {
      await start(true)
      await reported(goOn({}))
      await attack(what, attacked)
      await reported(droppedOnly(counted, attacked))
      await reported(goOn(await report()))
      // Nothing comes late.
      droppedOnly(counted, attacked)(await report())
    },
  )

  it('is found where a receiver takes what comes', async () => {
    await start(false)
    await attack('flip', ALL)
    const made = (now: Report) => expect(now['camera']?.attacks).toBe(TIMES)
    await reported(made)
    await expect(reported(droppedOnly('tampered', ALL), 2_000)).rejects.toThrow('camera')
  })
})
