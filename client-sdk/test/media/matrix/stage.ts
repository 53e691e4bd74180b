import type { Server } from 'node:http'
import type { Browser, BrowserContext } from 'playwright-core'
import { type RunningSfu, runSfu, sfuPath } from '../../call/runningSfu.ts'
import { launchChromium } from '../../chromium.ts'
import { buildPage, originOf, serveFiles } from '../servedPage.ts'
import type { Outcome } from './judgement.ts'
import type { Treatment } from './page/callEnd.ts'
import { RowRun } from './rowRun.ts'
import type { Layer, Row } from './rows.ts'

/** What the SFU forwards of a stream with layers. */
export interface LayerSwitch {
  to(layer: Layer): Promise<void>
  isAt(layer: Layer): boolean
}

/** A browser, and a real SFU through which two of its pages meet. */
export class Stage {
  readonly #server: Server
  readonly #running: RunningSfu
  readonly #browser: Browser
  readonly #switches = new Map<string, LayerSwitch>()
  #runs = 0

  private constructor(server: Server, running: RunningSfu, browser: Browser) {
    this.#server = server
    this.#running = running
    this.#browser = browser
    running.sfu.observer.on('newconsumer', ({ room, consumer }) => {
      if (consumer.kind !== 'video') return
      this.#switches.set(room.meeting, {
        to: (layer) => consumer.setPreferredLayers(layer),
        isAt: ({ spatialLayer, temporalLayer }) =>
          consumer.currentLayers?.spatialLayer === spatialLayer &&
          consumer.currentLayers.temporalLayer === temporalLayer,
      })
    })
  }

  static async open(): Promise<Stage> {
    const files = await buildPage(new URL('./page/', import.meta.url))
    const server = await serveFiles(files)
    return new Stage(server, await runSfu(server), await launchChromium({ fps: 30 }))
  }

  /**
   * One call in which one page sends what the row says to another, each with a renderer of its own.
   *
   * @param patienceMs how long the media may take to arrive in full
   */
  async run(row: Row, treatment: Treatment, patienceMs: number): Promise<Outcome> {
    const meeting = `meeting ${this.#runs++}`
    const contexts: BrowserContext[] = []
    const join = async (leaf: number) => {
      const context = await this.#browser.newContext({ permissions: ['camera', 'microphone'] })
      contexts.push(context)
      const page = await context.newPage()
      const origin = originOf(this.#server)
      await page.goto(origin)
      const token = await this.#running.mint({ identity: `leaf ${leaf}`, meeting })
      await page.evaluate(
        async (options) => {
          window.end = await window.CallEnd.join(options)
        },
        { sfu: `${origin}${sfuPath}`, token, leaf, treatment },
      )
      return page
    }
    try {
      const [sender, receiver] = await Promise.all([join(0), join(1)])
      const layers = () => this.#switches.get(meeting)
      return await new RowRun(row, { sender, receiver, layers, patienceMs }).outcome()
    } finally {
      for (const context of contexts) await context.close()
      this.#switches.delete(meeting)
    }
  }

  async close(): Promise<void> {
    await this.#browser.close()
    await this.#running.sfu.close()
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
