import type { Server } from 'node:http'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { launchChromium } from '../chromium.ts'
import { buildPage, originOf, serveFiles } from '../media/servedPage.ts'

/** A Chromium with a page in which stores are opened; each test has a browser context of its own. */
export interface StorePages {
  /** Of the test that runs. */
  readonly context: BrowserContext
  /** Where the page is. */
  readonly origin: string
  newTab(): Promise<Page>
}

/** Made before the tests of a file, and gone after them. */
export function storePages(): StorePages {
  let browser: Browser
  let server: Server
  let context: BrowserContext

  beforeAll(async () => {
    server = await serveFiles(await buildPage(new URL('./page/', import.meta.url)))
    browser = await launchChromium({ fps: 20 })
  }, 120_000)

  afterAll(async () => {
    await browser?.close()
    server?.close()
  })

  beforeEach(async () => {
    context = await browser.newContext()
  })

  afterEach(() => context.close())

  return {
    get context() {
      return context
    },
    get origin() {
      return originOf(server)
    },
    async newTab() {
      const tab = await context.newPage()
      await tab.goto(originOf(server))
      return tab
    },
  }
}
