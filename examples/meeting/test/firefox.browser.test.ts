import { networkInterfaces } from 'node:os'
import { systemClock } from '@conclave/client'
import { HmacAccessKey, mintToken } from '@conclave/core/access'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { launchChromium } from '../../../client-sdk/test/chromium.ts'
import { isContinuousIntegration } from '../../../core/test/continuousIntegration.ts'
import { buildPage, productPage } from './support/buildPage.ts'
import { launchFirefox } from './support/firefox.ts'
import { Participant, patienceMs } from './support/participant.ts'
import { runMeetingServer } from './support/runMeetingServer.ts'

const meeting = 'standup'
const accessSecret = 'a secret that no server but this one has'

/** Firefox has no loopback candidates, whatever its preferences say. */
function ownAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address
}

interface AnyPage {
  evaluate<Result>(work: (given: string) => Result, given: string): Promise<Awaited<Result>>
}

/** What its own button copies, which asks the user where there is no clipboard. */
async function diagnosticsOf(page: AnyPage): Promise<string> {
  return await page.evaluate(async (label) => {
    const button = [...document.querySelectorAll('button')].find((each) =>
      each.textContent?.includes(label),
    )
    return await new Promise<string>((resolve) => {
      navigator.clipboard.writeText = () => Promise.reject(new Error('not here'))
      window.prompt = (_, line) => {
        resolve(line ?? '')
        return null
      }
      button?.click()
    })
  }, 'Copy diagnostics')
}

/** What somebody's picture looks like now, as text. */
async function pictureOf(page: AnyPage, identity: string): Promise<string> {
  return await page.evaluate((name) => {
    const video = document.querySelector<HTMLVideoElement>(`[data-identity="${name}"] video`)
    const canvas = new OffscreenCanvas(64, 48)
    const context = canvas.getContext('2d')
    if (video === null || context === null) return ''
    context.drawImage(video, 0, 0, canvas.width, canvas.height)
    return context.getImageData(0, 0, canvas.width, canvas.height).data.join()
  }, identity)
}

async function shown(page: AnyPage, testId: string): Promise<string> {
  return await page.evaluate(
    (id) => document.querySelector(`[data-testid=${id}]`)?.textContent ?? '',
    testId,
  )
}

describe('Firefox', () => {
  it('exchanges VP8 and Opus with Chromium, encrypted end to end', async ({ skip }) => {
    const executable = process.env['FIREFOX_BIN']
    if (executable === undefined) {
      const howTo = 'install the package firefox-esr, or say in FIREFOX_BIN where Firefox is'
      if (isContinuousIntegration()) throw new Error(howTo)
      console.warn(howTo)
      return skip(howTo)
    }
    const address = ownAddress()
    if (address === undefined) return skip('there is no network but loopback')
    const built = await buildPage(productPage)
    onTestFinished(() => built.remove())
    // Beyond loopback the server wants tokens.
    const server = await runMeetingServer(built.folder, {
      host: '0.0.0.0',
      mediaAddress: address,
      accessSecret,
    })
    onTestFinished(() => server.close())
    const codecs: string[] = []
    server.sfu.observer.on('newproducer', ({ producer }) => {
      codecs.push(producer.rtpParameters.codecs[0]?.mimeType ?? '')
    })
    const addressFor = async (identity: string) => {
      const key = new HmacAccessKey(accessSecret)
      const token = await mintToken({ identity, meeting }, key, systemClock)
      return `${server.url}?${new URLSearchParams({ meeting, name: identity })}#token=${token}`
    }
    const browser = await launchChromium({ fps: 20 })
    onTestFinished(() => browser.close())
    const alice = await Participant.open(browser, 'Alice', await addressFor('Alice'))
    await alice.join(meeting)
    const firefox = await launchFirefox(executable)
    onTestFinished(() => firefox.close())
    const bob = await firefox.newPage()
    await bob.goto(await addressFor('Bob'))
    await bob.click('[data-testid=join]')

    const well = / receiving=2\/2$/
    await vi.waitFor(
      async () => {
        expect(await diagnosticsOf(alice.page)).toMatch(well)
        expect(await diagnosticsOf(bob)).toMatch(well)
      },
      { timeout: patienceMs, interval: 500 },
    )
    expect(await shown(bob, 'safety-code')).toBe(await alice.text('safety-code'))
    expect(codecs.toSorted()).toEqual(['audio/opus', 'audio/opus', 'video/VP8', 'video/VP8'])
    const pictures = { ofBob: new Set<string>(), ofAlice: new Set<string>() }
    await vi.waitFor(
      async () => {
        pictures.ofBob.add(await pictureOf(alice.page, 'Bob'))
        pictures.ofAlice.add(await pictureOf(bob, 'Alice'))
        expect(pictures.ofBob.size).toBeGreaterThan(5)
        expect(pictures.ofAlice.size).toBeGreaterThan(5)
      },
      { timeout: patienceMs, interval: 200 },
    )
  })
})
