import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { launchChromium } from '../../../client-sdk/test/chromium.ts'
import type { MeetingServer } from '../src/meetingServer.ts'
import { type BuiltPage, buildPage, productPage } from './support/buildPage.ts'
import { Participant, patienceMs } from './support/participant.ts'
import { runMeetingServer } from './support/runMeetingServer.ts'

let browser: Browser
let built: BuiltPage
let server: MeetingServer
const opened: Participant[] = []

beforeAll(async () => {
  built = await buildPage(productPage)
  server = await runMeetingServer(built.folder)
  browser = await launchChromium({ fps: 20 })
})

afterEach(async () => {
  for (const participant of opened.splice(0)) await participant.close()
})

afterAll(async () => {
  await browser?.close()
  await server?.close()
  await built?.remove()
})

async function open(name: string, path = ''): Promise<Participant> {
  const participant = await Participant.open(browser, name, server.url + path)
  opened.push(participant)
  return participant
}

/** Waits until the picture of somebody moves. */
async function pictureMoves(page: Page, identity: string): Promise<void> {
  const video = page.locator(`[data-testid=tile][data-identity="${identity}"] video`)
  const state = () =>
    video.evaluate((element) => {
      const { readyState, videoWidth, currentTime } = element as HTMLVideoElement
      return { readyState, videoWidth, currentTime }
    })
  await video.waitFor()
  await vi.waitFor(async () => expect((await state()).readyState).toBeGreaterThanOrEqual(2), {
    timeout: patienceMs,
  })
  const { currentTime, videoWidth } = await state()
  expect(videoWidth).toBeGreaterThan(0)
  await vi.waitFor(
    async () => expect((await state()).currentTime).toBeGreaterThan(currentTime + 0.5),
    { timeout: patienceMs },
  )
}

describe('the meeting page', () => {
  it('lets two people who type their names see each other under one safety code', async () => {
    const alice = await open('Alice')
    const bob = await open('Bob')
    const complaints: string[] = []
    for (const { page } of [alice, bob]) {
      page.on('pageerror', (error) => complaints.push(error.message))
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text())
      })
    }
    await alice.join('standup')
    await bob.join('standup')
    for (const { page } of [alice, bob]) {
      await pictureMoves(page, 'Alice')
      await pictureMoves(page, 'Bob')
    }
    const shown = await alice.shown()
    expect(shown).toMatchObject({ epoch: 1, participants: ['Alice', 'Bob'] })
    expect(await bob.shown()).toEqual(shown)

    await bob.leave()
    expect(await bob.page.getByTestId('error').count()).toBe(0)
    await vi.waitFor(
      async () => expect(await alice.shown()).toMatchObject({ epoch: 2, participants: ['Alice'] }),
      { timeout: patienceMs },
    )
    expect(complaints).toEqual([])
  })

  it('turns camera and microphone off for everyone, and on again', async () => {
    const alice = await open('Alice')
    const bob = await open('Bob')
    await alice.join('toggling')
    await bob.join('toggling')
    await pictureMoves(bob.page, 'Alice')
    const tile = bob.page.locator('[data-testid=tile][data-identity=Alice]')
    expect(await tile.getByLabel('microphone off').count()).toBe(0)

    await alice.page.getByTestId('toggle-camera').click()
    await alice.page.getByTestId('toggle-microphone').click()
    await tile.locator('video').waitFor({ state: 'detached' })
    await tile.getByLabel('microphone off').waitFor()

    await alice.page.getByTestId('toggle-camera').click()
    await alice.page.getByTestId('toggle-microphone').click()
    await tile.getByLabel('microphone off').waitFor({ state: 'detached' })
    await pictureMoves(bob.page, 'Alice')
  })

  it('lets one join whose camera is not allowed, and says so', async () => {
    const alice = await open('Alice')
    const bob = await open('Bob')
    await bob.page.evaluate(() => {
      const { mediaDevices } = navigator
      const ask = mediaDevices.getUserMedia.bind(mediaDevices)
      mediaDevices.getUserMedia = async (constraints) => {
        if (constraints?.video) throw new DOMException('denied', 'NotAllowedError')
        return await ask(constraints)
      }
    })
    await alice.join('no camera')
    await bob.join('no camera')
    expect(await bob.text('error-code')).toBe('device-denied')
    await pictureMoves(bob.page, 'Alice')
    const tile = alice.page.locator('[data-testid=tile][data-identity=Bob]')
    await tile.getByLabel('microphone off').waitFor({ state: 'detached' })
    expect(await tile.locator('video').count()).toBe(0)
  })

  it('says on a tile what cannot be seen and why, and gives a line for a bug report', async () => {
    const cameras: { pause(): Promise<void>; resume(): Promise<void> }[] = []
    server.sfu.observer.on('newproducer', ({ source, producer }) => {
      if (source === 'camera') cameras.push(producer)
    })
    const alice = await open('Alice')
    await alice.join('held back')
    await vi.waitFor(() => expect(cameras).toHaveLength(1), { timeout: patienceMs })
    const bob = await open('Bob')
    await bob.join('held back')
    await pictureMoves(bob.page, 'Alice')
    const trouble = bob.page.locator('[data-testid=tile][data-identity=Alice]').getByRole('status')
    const isWell = () =>
      vi.waitFor(async () => expect(await trouble.innerText()).toBe(''), { timeout: patienceMs })
    await isWell()

    await cameras[0]?.pause()
    await trouble.getByText('Camera: nothing comes any more').waitFor()
    await bob.page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await bob.page.getByRole('button', { name: 'Copy diagnostics' }).click()
    await bob.page.getByRole('button', { name: 'Copied' }).waitFor()
    const line = await bob.page.evaluate(() => navigator.clipboard.readText())
    expect(line).toMatch(/^conclave-media\/1 epoch=\d+ .* from\(\d+ camera stalled for=\d+s .*$/)
    expect(line).not.toContain('Alice')

    await cameras[0]?.resume()
    await isWell()
  })

  it('shows of whom it is known that picture and sound are theirs, also when keys change', async () => {
    const alice = await open('Alice', '?authenticate')
    const bob = await open('Bob', '?authenticate')
    await alice.join('standup')
    await bob.join('standup')
    expect(new URL(alice.page.url()).searchParams.has('authenticate')).toBe(true)
    const tileOf = (identity: string) =>
      bob.page.locator(`[data-testid=tile][data-identity="${identity}"]`)
    const mark = tileOf('Alice').getByRole('img', { name: 'picture and sound are theirs' })
    await mark.waitFor()
    const bobsTile = alice.page.locator('[data-testid=tile][data-identity=Bob]')
    await bobsTile.getByRole('img', { name: 'picture and sound are theirs' }).waitFor()
    const carol = await open('Carol')
    await carol.join('standup')
    await pictureMoves(bob.page, 'Carol')
    await tileOf('Alice').getByRole('img', { name: 'picture and sound are theirs' }).waitFor()
    // Carol signs nothing of what she sends.
    for (const name of [/are theirs/, /sends as them/]) {
      expect(await tileOf('Carol').getByRole('img', { name }).count()).toBe(0)
    }
    expect(
      await tileOf('Alice')
        .getByRole('img', { name: /sends as them/ })
        .count(),
    ).toBe(0)
  })

  it('takes name, meeting and token from its address, and keeps the token out of it', async () => {
    const { page } = await open('', '?meeting=standup&name=Alice#token=not-a-token')
    expect(await page.getByTestId('name').inputValue()).toBe('Alice')
    expect(await page.getByTestId('meeting').inputValue()).toBe('standup')
    expect(page.url()).not.toContain('token')
    await page.getByTestId('join').click()
    expect(await page.getByTestId('error-code').innerText()).toBe('keyserver-refused')
    expect(await page.getByTestId('error-detail').innerText()).toBe('token-malformed')
    await page.getByTestId('join').waitFor()
  })

  it('goes back to the start, saying why, when the server ends the meeting', async () => {
    const ending = await runMeetingServer(built.folder)
    const alice = await Participant.open(browser, 'Alice', ending.url)
    opened.push(alice)
    await alice.join('short')
    await alice.page.locator('video').waitFor()
    await ending.close()
    await alice.page.getByTestId('join').waitFor()
    expect(await alice.text('error-code')).toBe('meeting-closed')
  })
})
