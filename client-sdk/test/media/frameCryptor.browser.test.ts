import type { Server } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium } from '../chromium.ts'
import type { LoopbackOptions, MediaReport } from './page/loopback.ts'
import { buildPage, originOf, serveFiles } from './servedPage.ts'

const PATIENCE_MS = 30_000

let browser: Browser
let server: Server
let page: Page

beforeAll(async () => {
  const files = await buildPage(new URL('./page/', import.meta.url))
  server = await serveFiles(files)
  browser = await launchChromium({ fps: 30 })
}, 120_000)

afterAll(async () => {
  await browser?.close()
  server?.close()
})

afterEach(async () => {
  await page?.context().close()
})

/** Opens a page with a call whose keys and transforms are as said; the call has started. */
async function call(
  options: Partial<LoopbackOptions>,
  keys: { sender?: [epoch: number, seed: number]; receiver?: [epoch: number, seed: number] } = {},
): Promise<void> {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] })
  page = await context.newPage()
  await page.goto(originOf(server))
  const defaults: LoopbackOptions = {
    protect: true,
    unprotect: true,
    audioCodec: 'audio/opus',
    connect: true,
    clockSpeed: 1,
    legacy: false,
  }
  await page.evaluate(
    async ({ options, keys }) => {
      window.call = new window.Loopback(options)
      if (keys.sender) window.call.installAtSender(...keys.sender)
      if (keys.receiver) window.call.installAtReceiver(...keys.receiver)
      await window.call.start()
    },
    { options: { ...defaults, ...options }, keys },
  )
}

function report(): Promise<MediaReport> {
  return page.evaluate(() => window.call.report())
}

/** What the worker at the sender's or the receiver's end counts for a source. */
async function counts(end: 'sender' | 'receiver', source: string) {
  return page.evaluate(
    async ({ end, source }) => {
      const { senders, receivers } =
        end === 'sender' ? await window.call.senderStats() : await window.call.receiverStats()
      const found = [...senders, ...receivers].find((stats) => stats.source === source)
      const dropped: Partial<Record<string, number>> = found?.dropped ?? {}
      return {
        epoch: found !== undefined && 'epoch' in found ? Number(found.epoch) : undefined,
        passed: found === undefined ? 0 : 'opened' in found ? found.opened : found.protected,
        dropped,
        droppedInAll: Object.values(dropped).reduce<number>((sum, count) => sum + (count ?? 0), 0),
      }
    },
    { end, source },
  )
}

/** What becomes of picture and sound at the receiver. */
function states(): Promise<(string | undefined)[]> {
  return page.evaluate(() => [window.call.state('video'), window.call.state('audio')])
}

async function eventually(condition: () => Promise<void>): Promise<void> {
  await expect
    .poll(() => condition().then(() => 'met', String), { timeout: PATIENCE_MS, interval: 200 })
    .toBe('met')
}

describe('the frame cryptor in Chromium', { timeout: 2 * PATIENCE_MS }, () => {
  it('lets protected video decode and audio play', async () => {
    await call({}, { sender: [1, 0], receiver: [1, 0] })
    await eventually(async () => {
      const { video, audio } = await report()
      expect(video.framesDecoded).toBeGreaterThan(60)
      expect(audio.energy).toBeGreaterThan(0.1)
      expect(video.framesDecoded).toBeGreaterThan(0.9 * video.framesReceived)
      expect(audio.concealed).toBeLessThan(0.1 * audio.received)
    })
    const { video, audio } = await report()
    expect([video.trackEnabled, audio.trackEnabled]).toEqual([true, true])
    expect((await counts('receiver', 'camera')).dropped).toEqual({})
    expect(await states()).toEqual(['decoding', 'decoding'])
    expect(await page.evaluate(() => window.call.sendersHaveTracks())).toEqual([true, true])
    expect(await page.evaluate(() => window.call.failures)).toEqual([])
    expect(await page.evaluate(() => window.call.refusals)).toEqual([])
  })

  it('has its sender make a key frame, once, when keys come late', async () => {
    await call({}, { receiver: [1, 0] })
    await eventually(async () => {
      expect((await counts('sender', 'camera')).dropped['no-key']).toBeGreaterThan(10)
    })
    let made = 0
    await page.exposeFunction('makingKeyFrame', () => made++)
    await page.evaluate(() => {
      const { makingKeyFrame } = window as unknown as { makingKeyFrame(): void }
      const { prototype } = RTCRtpSender
      const { setParameters } = prototype
      prototype.setParameters = function (parameters, options) {
        if (JSON.stringify(options)?.includes('"keyFrame":true')) makingKeyFrame()
        return setParameters.call(this, parameters, options)
      }
    })
    const { keyFramesEncoded } = (await report()).video
    await page.evaluate(() => window.call.installAtSender(1))
    await eventually(async () => expect((await report()).video.framesDecoded).toBeGreaterThan(10))
    expect((await report()).video.keyFramesEncoded).toBeGreaterThan(keyFramesEncoded)
    expect(made).toBe(1)
  })

  it.each(['silent', 'broken'] as const)(
    'holds every track where the worker is %s: nothing is sent or shown',
    async (standIn) => {
      await call({ standIn, clockSpeed: 20 })
      const refusals = await page.evaluate(() => window.call.refusals)
      expect(refusals).toEqual(Array(4).fill('media-worker-failed'))
      expect(await page.evaluate(() => window.call.sendersHaveTracks())).toEqual([false, false])
      const { video, audio } = await report()
      expect(video).toMatchObject({ packetsSent: 0, framesDecoded: 0, trackEnabled: false })
      expect(audio).toMatchObject({ packetsSent: 0, received: 0, trackEnabled: false })
    },
  )

  it.each([
    ['the sender’s worker fails', ['sender'], 'fail'],
    ['the receiver’s worker fails', ['receiver'], 'fail'],
    ['both workers are stuck', ['sender', 'receiver'], 'hang'],
  ] as const)('goes on with another worker when %s', async (_, ends, what) => {
    await call({ standIn: 'failing' }, { sender: [1, 0], receiver: [1, 0] })
    await eventually(async () => expect((await report()).video.framesDecoded).toBeGreaterThan(10))
    for (const end of ends) {
      await page.evaluate(([end, what]) => window.call.tellWorker(end, what), [end, what] as const)
    }
    await eventually(async () => {
      for (const end of ends) {
        expect(await page.evaluate((end) => window.call.losses[end], end)).toBe(1)
      }
    })
    const { video, audio } = await report()
    await eventually(async () => {
      const now = await report()
      expect(now.video.framesDecoded).toBeGreaterThan(video.framesDecoded + 30)
      expect(now.audio.energy).toBeGreaterThan(audio.energy)
      expect([now.video.trackEnabled, now.audio.trackEnabled]).toEqual([true, true])
    })
    // Nothing came in clear, or under a counter that was used before.
    const { dropped } = await counts('receiver', 'camera')
    expect(dropped).toEqual({})
    expect(await page.evaluate(() => window.call.failures)).toEqual([])
  })

  it('gives up, silent, when workers fail again and again', async () => {
    const options = { standIn: 'failing', clockSpeed: 3 } as const
    await call(options, { sender: [1, 0], receiver: [1, 0] })
    await eventually(async () => {
      await page.evaluate(() => window.call.tellWorker('sender', 'fail'))
      expect(await page.evaluate(() => window.call.failures)).toEqual(['media-worker-failed'])
    })
    expect(await page.evaluate(() => window.call.losses)).toEqual({ sender: 3, receiver: 0 })
    const { packetsSent } = (await report()).video
    const { framesEncoded } = (await report()).video
    expect(await page.evaluate(() => window.call.sendersHaveTracks())).toEqual([false, false])
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_000)))
    const later = (await report()).video
    expect(later.packetsSent).toBe(packetsSent)
    expect(later.framesEncoded).toBe(framesEncoded)
  })

  it('works with encoded streams where the browser has no script transforms', async () => {
    await call({ legacy: true }, { sender: [1, 0], receiver: [1, 0] })
    await eventually(async () => {
      const { video, audio } = await report()
      expect(video.framesDecoded).toBeGreaterThan(60)
      expect(audio.energy).toBeGreaterThan(0.1)
    })
    expect((await counts('receiver', 'camera')).dropped).toEqual({})
    expect((await counts('sender', 'camera')).epoch).toBe(1)
    expect(await page.evaluate(() => window.call.protectAgain())).toBe('media-already-transformed')
    expect(await page.evaluate(() => window.call.refusals)).toEqual([])
  })

  it('lets frames wait for their key and decodes from there', async () => {
    await call({}, { sender: [1, 0] })
    await eventually(async () => {
      expect((await counts('sender', 'camera')).passed).toBeGreaterThan(10)
    })
    expect((await report()).video.framesDecoded).toBe(0)
    const waiting = ['camera waiting-for-key', 'microphone waiting-for-key']
    await eventually(async () => {
      expect((await page.evaluate(() => window.call.notices)).toSorted()).toEqual(waiting)
    })
    await page.evaluate(() => window.call.installAtReceiver(1))
    await eventually(async () => expect((await report()).video.framesDecoded).toBeGreaterThan(30))
    await eventually(async () => expect(await states()).toEqual(['decoding', 'decoding']))
    const notices = await page.evaluate(() => window.call.notices)
    expect(notices.slice(2)).toEqual(
      expect.arrayContaining(['camera recovered', 'microphone recovered']),
    )
    expect((await report()).audio.energy).toBeGreaterThan(0)
  })

  it('decodes nothing without the key', async () => {
    await call({}, { sender: [1, 0], receiver: [1, 100] })
    await eventually(async () => {
      expect((await counts('receiver', 'camera')).dropped['wrong-key']).toBeGreaterThan(40)
      expect((await counts('receiver', 'microphone')).dropped['wrong-key']).toBeGreaterThan(40)
    })
    const { video, audio } = await report()
    expect(video).toMatchObject({ framesDecoded: 0, trackEnabled: false })
    expect(audio).toMatchObject({ received: 0, energy: 0, trackEnabled: false })
    await eventually(async () => expect(await states()).toEqual(['wrong-key', 'wrong-key']))
  })

  it('sends nothing before it has a key, then starts with a picture at once', async () => {
    await call({}, { receiver: [1, 0] })
    await eventually(async () => {
      expect((await counts('sender', 'camera')).dropped['no-key']).toBeGreaterThan(20)
      expect((await counts('sender', 'microphone')).dropped['no-key']).toBeGreaterThan(20)
    })
    const before = await report()
    expect([before.video.packetsSent, before.audio.packetsSent]).toEqual([0, 0])
    await page.evaluate(() => window.call.installAtSender(1))
    await eventually(async () => {
      const { video, audio } = await report()
      expect(video.framesDecoded).toBeGreaterThan(20)
      expect(audio.energy).toBeGreaterThan(0)
    })
  })

  it('keeps the picture while keys rotate', async () => {
    await call({}, { sender: [1, 0], receiver: [1, 0] })
    await eventually(async () => expect((await report()).video.framesDecoded).toBeGreaterThan(20))
    for (const epoch of [2, 3, 4]) {
      await page.evaluate((epoch) => {
        window.call.installAtSender(epoch)
        window.call.installAtReceiver(epoch)
      }, epoch)
      await eventually(async () => expect((await counts('sender', 'camera')).epoch).toBe(epoch))
    }
    const passed = (await counts('receiver', 'camera')).passed
    await eventually(async () => {
      expect((await counts('receiver', 'camera')).passed).toBeGreaterThan(passed + 20)
    })
    expect((await counts('receiver', 'camera')).dropped).toEqual({})
    const { video } = await report()
    expect(video.framesDecoded).toBeGreaterThan(0.9 * video.framesReceived)
  })

  it('refuses a removed sender at once', async () => {
    await call({}, { sender: [1, 0], receiver: [1, 0] })
    await eventually(async () => expect((await report()).video.framesDecoded).toBeGreaterThan(20))
    await page.evaluate(() => window.call.installAtReceiver(2, 0, [1]))
    await eventually(async () => {
      expect((await counts('receiver', 'camera')).dropped['removed-sender']).toBeGreaterThan(20)
    })
    const { framesDecoded } = (await report()).video
    const { passed, droppedInAll } = await counts('receiver', 'camera')
    await eventually(async () => {
      expect((await counts('receiver', 'camera')).droppedInAll).toBeGreaterThan(droppedInAll + 40)
    })
    expect((await counts('receiver', 'camera')).passed).toBe(passed)
    expect((await report()).video.framesDecoded).toBe(framesDecoded)
    expect(await states()).toEqual(['foreign', 'foreign'])
  })

  it('drops, counts and never shows what comes in clear', async () => {
    await call({ protect: false }, { receiver: [1, 0] })
    await eventually(async () => {
      expect((await counts('receiver', 'camera')).droppedInAll).toBeGreaterThan(40)
      expect((await counts('receiver', 'microphone')).droppedInAll).toBeGreaterThan(40)
    })
    const { video, audio } = await report()
    expect(video).toMatchObject({ framesDecoded: 0, trackEnabled: false })
    expect(audio).toMatchObject({ received: 0, trackEnabled: false })
    expect((await counts('receiver', 'camera')).passed).toBe(0)
    await eventually(async () => expect(await states()).toEqual(['foreign', 'foreign']))
  })

  it('refuses a sender that is transmitting already', async () => {
    await call({ protect: false, unprotect: false })
    await eventually(async () => expect((await report()).video.framesDecoded).toBeGreaterThan(5))
    const code = await page.evaluate(() => window.call.protectAgain())
    expect(code).toBe('media-already-transmitting')
  })

  it('refuses a sender that it protects already', async () => {
    await call({})
    expect(await page.evaluate(() => window.call.protectAgain())).toBe('media-already-transformed')
    expect(await page.evaluate(() => window.call.sendersHaveTracks())).toEqual([true, true])
  })

  it('sends no frame of a codec without a rule, and refuses a sender that negotiated one', async () => {
    await call({ audioCodec: 'audio/PCMU' }, { sender: [1, 0], receiver: [1, 0] })
    await eventually(async () => {
      expect((await counts('sender', 'microphone')).dropped['unsupported-codec']).toBeGreaterThan(
        20,
      )
    })
    expect((await report()).audio.packetsSent).toBe(0)
    await page.context().close()
    await call({ audioCodec: 'audio/PCMU', protect: false, unprotect: false, connect: false })
    const code = await page.evaluate(() => window.call.protectAgain('audio'))
    expect(code).toBe('media-unsupported-codec')
    const [microphoneHasTrack] = await page.evaluate(() => window.call.sendersHaveTracks())
    expect(microphoneHasTrack).toBe(false)
  })

  it('carries nothing once closed, in neither direction', async () => {
    await call({}, { sender: [1, 0], receiver: [1, 0] })
    await eventually(async () => expect((await report()).video.framesDecoded).toBeGreaterThan(20))
    await page.evaluate(() => window.call.closeCryptor('receiver'))
    const receiverClosed = await report()
    await eventually(async () => {
      const { packetsSent } = (await report()).video
      expect(packetsSent).toBeGreaterThan(receiverClosed.video.packetsSent + 60)
    })
    const { framesDecoded } = (await report()).video
    expect(framesDecoded - receiverClosed.video.framesDecoded).toBeLessThan(10)

    await page.evaluate(() => window.call.closeCryptor('sender'))
    const senderClosed = await report()
    await eventually(async () => {
      const { framesEncoded } = (await report()).video
      expect(framesEncoded).toBeGreaterThan(senderClosed.video.framesEncoded + 30)
    })
    const { packetsSent } = (await report()).video
    expect(packetsSent - senderClosed.video.packetsSent).toBeLessThan(10)
  })
})
