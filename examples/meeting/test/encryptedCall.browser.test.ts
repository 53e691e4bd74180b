import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { launchChromium } from '../../../client-sdk/test/chromium.ts'
import type { MeetingServer } from '../src/meetingServer.ts'
import { type BuiltPage, buildPage, probedPage } from './support/buildPage.ts'
import { ByteWindows } from './support/byteWindows.ts'
import {
  calmestFlows,
  everyoneReceives,
  type Flow,
  type Flows,
  flowsDuring,
  seconds,
} from './support/flow.ts'
import { clearLength, epochBits, SavedKeys } from './support/openFrame.ts'
import { Participant, patienceMs } from './support/participant.ts'
import { runMeetingServer } from './support/runMeetingServer.ts'
import { SfuTap, type TappedFrame } from './support/sfuTap.ts'

const stretches = { count: 3, seconds: 4 }
const sources = ['camera', 'microphone']

let browser: Browser
let page: BuiltPage
let server: MeetingServer
let tap: SfuTap
let alice: Participant
let bob: Participant
let carol: Participant
let dave: Participant
/** The same call without transforms. */
let control: Flows
let encrypted: Flows

async function join(name: string, meeting: string, media: string): Promise<Participant> {
  const participant = await Participant.open(browser, name, `${server.url}?media=${media}`)
  await participant.join(meeting)
  return participant
}

async function joinAll(meeting: string, media: string): Promise<Participant[]> {
  const participants: Participant[] = []
  for (const name of ['Alice', 'Bob', 'Carol']) {
    participants.push(await join(name, meeting, media))
  }
  await everyoneReceives(participants)
  return participants
}

beforeAll(async () => {
  page = await buildPage(probedPage)
  server = await runMeetingServer(page.folder)
  tap = new SfuTap(server.sfu)
  browser = await launchChromium({ fps: 20 })

  const unprotected = await joinAll('control', 'clear')
  control = await calmestFlows(unprotected, stretches)
  for (const participant of unprotected) await participant.close()

  const [first, second, third] = await joinAll('standup', 'recorded')
  alice = first as Participant
  bob = second as Participant
  carol = third as Participant
  encrypted = await calmestFlows([alice, bob, carol], stretches)
  console.info(flowTable(control, encrypted))
}, 300_000)

afterAll(async () => {
  await browser?.close()
  await server?.close()
  await page?.remove()
})

function flowTable(control: Flows, encrypted: Flows): string {
  const row = (pair: string, flow: Flow | undefined, beside: Flow) => {
    const frames = `${flow?.framesPerSecond.toFixed(1)} frames/s (control ${beside.framesPerSecond.toFixed(1)})`
    const percent = (share: number | undefined) => `${(100 * (share ?? Number.NaN)).toFixed(1)} %`
    return `${pair}: ${frames}, concealed ${percent(flow?.concealed)} (control ${percent(beside.concealed)})`
  }
  return [...control].map(([pair, beside]) => row(pair, encrypted.get(pair), beside)).join('\n')
}

/** The epoch that all of them show, once it is a later one than `before`. */
async function laterEpoch(participants: readonly Participant[], before: number): Promise<number> {
  return await vi.waitFor(
    async () => {
      const shown = await Promise.all(participants.map((participant) => participant.shown()))
      const [first] = shown
      for (const other of shown) expect(other).toEqual(first)
      expect(first?.epoch).toBeGreaterThan(before)
      expect(first?.participants).toEqual(participants.map(({ name }) => name).sort())
      return first?.epoch as number
    },
    { timeout: patienceMs, interval: 100 },
  )
}

/**
 * What the tap has of each of these senders' sources from its first frame under `epoch` on, once
 * there are at least `count` of each.
 */
async function framesFrom(
  epoch: number,
  senders: readonly Participant[],
  count = 40,
): Promise<TappedFrame[]> {
  return await vi.waitFor(
    () =>
      senders.flatMap(({ name }) =>
        sources.flatMap((source) => {
          const frames = tap
            .framesOf('standup')
            .filter((frame) => frame.from === name && frame.source === source)
          const first = frames.findIndex((frame) => epochBits(frame) === epoch % 256)
          const later = first < 0 ? [] : frames.slice(first)
          expect(later.length, `${source} of ${name}`).toBeGreaterThanOrEqual(count)
          return later
        }),
      ),
    { timeout: patienceMs, interval: 250 },
  )
}

async function keysOf(participant: Participant): Promise<SavedKeys> {
  return new SavedKeys(await participant.keys())
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

describe('three browsers in an encrypted meeting', () => {
  it('show the same epoch, safety code and participants', async () => {
    const shown = await Promise.all([alice, bob, carol].map((participant) => participant.shown()))
    const [first] = shown
    expect(first?.participants).toEqual(['Alice', 'Bob', 'Carol'])
    expect(first?.epoch).toBeGreaterThanOrEqual(2)
    expect(first?.safetyCode).toMatch(/^(\d{5}\s){5}\d{5}$/)
    expect(shown).toEqual([first, first, first])
  })

  it('decode nine tenths of the frames that each gets of each without encryption', () => {
    expect([...encrypted.keys()].sort()).toEqual([...control.keys()].sort())
    expect(encrypted.size).toBe(6)
    for (const [pair, { framesPerSecond }] of control) {
      expect(framesPerSecond, `control, ${pair}`).toBeGreaterThan(8)
      const decoded = encrypted.get(pair)?.framesPerSecond
      expect(decoded, pair).toBeGreaterThanOrEqual(0.9 * framesPerSecond)
    }
  })

  it('hear each other, not concealment', () => {
    for (const [pair, { concealed, audioEnergy }] of encrypted) {
      const unencrypted = control.get(pair)?.concealed ?? 0
      expect(concealed, pair).toBeLessThan(0.1)
      expect(concealed, pair).toBeLessThanOrEqual(unencrypted + 0.03)
      expect(audioEnergy, pair).toBeGreaterThan(0)
    }
  })

  it('send frames that open, with the right keys, to what the encoders gave, byte by byte', async () => {
    const tapped = tap.framesOf('standup').slice()
    const keys = await keysOf(alice)
    const originals = new Map<string, Set<string>>()
    const opened = new Map<string, string[]>()
    for (const frame of tapped) {
      const plaintext = await keys.open(frame)
      const track = `${frame.from} ${frame.source}`
      expect(plaintext, track).toBeDefined()
      opened.set(track, [...(opened.get(track) ?? []), hex(plaintext as Uint8Array)])
    }
    await vi.waitFor(
      async () => {
        for (const participant of [alice, bob, carol]) {
          for (const { source, data } of await participant.takeFrames()) {
            const track = `${participant.name} ${source}`
            const known = originals.get(track) ?? new Set()
            originals.set(track, known.add(hex(Buffer.from(data, 'base64'))))
          }
        }
        for (const [track, frames] of opened) {
          const unknown = frames.filter((frame) => originals.get(track)?.has(frame) !== true)
          expect(unknown, track).toEqual([])
        }
      },
      { timeout: patienceMs, interval: 250 },
    )
    expect(opened.size).toBe(6)
    for (const [track, frames] of opened) {
      expect(new Set(frames).size, track).toBeGreaterThanOrEqual(20)
    }
    console.info(`tap: ${tapped.length} frames of ${opened.size} tracks, all open to originals`)
  })

  it('let no eight bytes of a frame through the SFU beyond the clear prefix', async () => {
    const tapped = tap.framesOf('standup').slice()
    const keys = await keysOf(alice)
    const windows = new ByteWindows()
    const plaintexts: Uint8Array[] = []
    for (const frame of tapped.slice(-600)) {
      const plaintext = await keys.open(frame)
      if (plaintext !== undefined) plaintexts.push(plaintext.subarray(clearLength(frame)))
    }
    for (const plaintext of plaintexts) windows.add(plaintext)
    expect(windows.size).toBeGreaterThan(10_000)
    const inPlaintexts = plaintexts.filter((plaintext) => windows.occurIn(plaintext))
    expect(inPlaintexts.length).toBe(plaintexts.filter(({ length }) => length >= 8).length)

    const leaking = tapped.filter((frame) =>
      windows.occurIn(frame.data.subarray(clearLength(frame))),
    )
    expect(leaking).toEqual([])
    console.info(`tap: ${windows.size} plaintext windows looked for in ${tapped.length} frames`)
  })

  it('go on without one who leaves, whose saved keys open no later frame', async () => {
    const { epoch: before } = await carol.shown()
    const keys = await keysOf(carol)
    expect(await keys.countOpened(tap.framesOf('standup').slice(-60))).toBe(60)

    let epoch = before
    const flows = await flowsDuring([alice, bob], async () => {
      await carol.leave()
      epoch = await laterEpoch([alice, bob], before)
      await seconds(5)
    })
    await carol.close()

    const later = await framesFrom(epoch, [alice, bob])
    expect(await keys.countOpened(later)).toBe(0)
    expect(await (await keysOf(alice)).countOpened(later)).toBe(later.length)
    console.info(`left: ${keys.count} saved keys open none of ${later.length} later frames`)
    for (const pair of ['Alice ← Bob', 'Bob ← Alice']) {
      const unencrypted = control.get(pair)?.framesPerSecond ?? Number.NaN
      expect(flows.get(pair)?.framesPerSecond, pair).toBeGreaterThan(0.8 * unencrypted)
    }
  })

  it('admit one whose keys open no frame that was sent before', async () => {
    const { epoch: before } = await alice.shown()
    const earlier = tap.framesOf('standup').slice()
    dave = await join('Dave', 'standup', 'recorded')
    const epoch = await laterEpoch([alice, bob, dave], before)

    const later = await framesFrom(epoch, [alice, bob, dave])
    const keys = await keysOf(dave)
    expect(keys.count).toBeGreaterThan(0)
    expect(await keys.countOpened(earlier)).toBe(0)
    expect(await (await keysOf(alice)).countOpened(earlier)).toBe(earlier.length)
    expect(await keys.countOpened(later)).toBe(later.length)
    console.info(`joined later: ${keys.count} keys open none of ${earlier.length} earlier frames`)
    await everyoneReceives([alice, bob, dave])
  })

  it('go on without one whose page was killed, whose saved keys open no later frame', async () => {
    const { epoch: before } = await bob.shown()
    const keys = await keysOf(bob)
    expect(await keys.countOpened(tap.framesOf('standup').slice(-60))).toBe(60)

    let epoch = before
    const flows = await flowsDuring([alice, dave], async () => {
      await bob.kill()
      epoch = await laterEpoch([alice, dave], before)
      await seconds(5)
    })

    const later = await framesFrom(epoch, [alice, dave])
    expect(await keys.countOpened(later)).toBe(0)
    expect(await (await keysOf(alice)).countOpened(later)).toBe(later.length)
    console.info(`killed: ${keys.count} saved keys open none of ${later.length} later frames`)
    for (const pair of ['Alice ← Dave', 'Dave ← Alice']) {
      const unencrypted = control.get('Alice ← Bob')?.framesPerSecond ?? Number.NaN
      expect(flows.get(pair)?.framesPerSecond, pair).toBeGreaterThan(0.8 * unencrypted)
    }
  })
})
