import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Received, RecordedFrame, RecordedKey } from '../page/probe.ts'

/** How long whatever a test waits for may take: far more than it does. */
export const patienceMs = 60_000

/** A browser of somebody's own, with the meeting's page in it. */
export class Participant {
  readonly name: string
  readonly page: Page
  readonly #context: BrowserContext

  private constructor(name: string, context: BrowserContext, page: Page) {
    this.name = name
    this.#context = context
    this.page = page
  }

  /** Opens the page at `url` with what it says after its path. */
  static async open(browser: Browser, name: string, url: string): Promise<Participant> {
    const context = await browser.newContext({
      permissions: ['camera', 'microphone'],
      viewport: { width: 800, height: 600 },
    })
    context.setDefaultTimeout(patienceMs)
    const page = await context.newPage()
    await page.goto(url)
    return new Participant(name, context, page)
  }

  /** Types name and meeting, and joins. */
  async join(meeting: string): Promise<void> {
    await this.page.getByTestId('name').fill(this.name)
    await this.page.getByTestId('meeting').fill(meeting)
    await this.page.getByTestId('join').click()
    await this.page.getByTestId('epoch').waitFor()
  }

  async leave(): Promise<void> {
    await this.page.getByTestId('leave').click()
    await this.page.getByTestId('join').waitFor()
  }

  /** Ends the page's process, so that nothing of it can say goodbye. */
  async kill(): Promise<void> {
    const crashed = this.page.waitForEvent('crash')
    const session = await this.#context.newCDPSession(this.page)
    // The answer to this never comes.
    session.send('Page.crash').catch(() => {})
    await crashed
  }

  async close(): Promise<void> {
    await this.#context.close()
  }

  text(testId: string): Promise<string> {
    return this.page.getByTestId(testId).innerText()
  }

  /** What the page shows at one moment. */
  shown(): Promise<{ epoch: number; safetyCode: string; participants: string[] }> {
    return this.page.evaluate(() => {
      const all = (testId: string) => [
        ...document.querySelectorAll<HTMLElement>(`[data-testid=${testId}]`),
      ]
      return {
        epoch: Number(all('epoch')[0]?.textContent ?? Number.NaN),
        safetyCode: all('safety-code')[0]?.textContent ?? '',
        participants: all('participant')
          .map(({ dataset }) => dataset['identity'] ?? '')
          .sort(),
      }
    })
  }

  received(): Promise<Received[]> {
    return this.page.evaluate(() => window.probe.received())
  }

  /** Every epoch's base key that the page's frame cryptor has got. */
  keys(): Promise<RecordedKey[]> {
    return this.page.evaluate(() => window.probe.keys)
  }

  /** The frames that the page's encoders gave since this was asked last. */
  takeFrames(): Promise<RecordedFrame[]> {
    return this.page.evaluate(() => window.probe.takeFrames())
  }
}
