import { setTimeout as wait } from 'node:timers/promises'
import type { types } from 'mediasoup'
import { describe, expect, test } from 'vitest'
import { defaultLimits } from '../src/limits.ts'
import {
  carryPlainly,
  LayeredCamera,
  layeredVp8,
  Viewer,
  vp8Receiver,
} from './fixtures/plainMedia.ts'
import { type MediaClient, type RunningSfu, runSfu } from './fixtures/runningSfu.ts'

const [LOW, HIGH] = [0, 1]
const SSRCS = [1111, 2222]
const { keyFrameIntervalMs } = defaultLimits
/** A flood is so many requests, and takes a few intervals. */
const REQUESTS = 200
const REQUEST_EVERY_MS = 10

/** Whoever receives Alice's camera. */
interface Receiver {
  readonly client: MediaClient
  readonly consumerId: string
  readonly consumer: types.Consumer
  readonly viewer: Viewer
  /** Consumes the camera once more. */
  consume(): Promise<{ readonly consumerId: string }>
}

/** A room in which Alice sends her camera in two layers. */
class Stage {
  readonly camera: LayeredCamera
  readonly #running: RunningSfu
  readonly #ports: ReadonlyMap<string, number>
  readonly #producerId: string
  readonly #begunMs = performance.now()

  private constructor(
    running: RunningSfu,
    ports: ReadonlyMap<string, number>,
    producerId: string,
    camera: LayeredCamera,
  ) {
    this.#running = running
    this.#ports = ports
    this.#producerId = producerId
    this.camera = camera
  }

  static async set(limits = {}): Promise<Stage> {
    const running = await runSfu({ limits })
    const ports = carryPlainly(running.sfu)
    const alice = await running.client('standup')
    await alice.ask('join', {})
    const { transportId } = await alice.ask('createTransport', { direction: 'send' })
    let producer: types.Producer | undefined
    running.sfu.observer.on('newproducer', (made) => {
      producer = made.producer
    })
    const { producerId } = await alice.ask('produce', {
      transportId,
      kind: 'video',
      rtpParameters: layeredVp8(SSRCS),
      source: 'camera',
      leaf: 0,
    })
    const camera = await LayeredCamera.start(portOf(ports, transportId), SSRCS)
    // An SFU gives receivers only layers that it gets itself.
    await expect.poll(() => producer?.score.filter(({ score }) => score > 0).length).toBe(2)
    return new Stage(running, ports, producerId, camera)
  }

  /** Somebody who has joined, and whose consumer is paused yet. */
  async joined(): Promise<Receiver> {
    const client = await this.#running.client('standup')
    await client.ask('join', {})
    const { transportId } = await client.ask('createTransport', { direction: 'recv' })
    const consumers = new Map<string, types.Consumer>()
    this.#running.sfu.observer.on('newconsumer', ({ consumer }) => {
      consumers.set(consumer.id, consumer)
    })
    const consume = () =>
      client.ask('consume', {
        transportId,
        producerId: this.#producerId,
        rtpCapabilities: vp8Receiver,
      })
    const { consumerId, rtpParameters } = await consume()
    const ssrc = rtpParameters.encodings?.[0]?.ssrc ?? Number.NaN
    const viewer = await Viewer.open(portOf(this.#ports, transportId), ssrc)
    const consumer = consumers.get(consumerId) as types.Consumer
    return { client, consumerId, consumer, viewer, consume }
  }

  /** Somebody who has joined and gets key frames of a layer. */
  async watching(layer: number): Promise<Receiver> {
    const receiver = await this.joined()
    await receiver.consumer.setPreferredLayers({ spatialLayer: layer })
    await resume(receiver)
    await keyFrameArrives(receiver)
    return receiver
  }

  /** How often key frames of a layer may have been asked for until now. */
  get allowed(): number {
    return Math.floor((performance.now() - this.#begunMs) / keyFrameIntervalMs) + 1
  }

  /** How often they have been. */
  asked(layer: number): number {
    return this.camera.asked.filter((each) => each === layer).length
  }
}

function portOf(ports: ReadonlyMap<string, number>, transportId: string): number {
  return ports.get(transportId) ?? Number.NaN
}

async function resume({ client, consumerId }: Receiver): Promise<void> {
  await client.ask('resumeConsumer', { consumerId })
}

async function keyFrameArrives({ viewer }: Receiver): Promise<void> {
  await expect.poll(() => viewer.keyFrames, { timeout: 10_000, interval: 5 }).toBeGreaterThan(0)
}

type Asking = (receiver: Receiver) => unknown

const byRtcp: Asking = ({ viewer }) => viewer.requestKeyFrame()

const asking: readonly (readonly [how: string, ask: Asking])[] = [
  ['by RTCP', byRtcp],
  ['by requests', ({ client, consumerId }) => client.ask('requestKeyFrame', { consumerId })],
  [
    'by pausing and resuming',
    async (receiver) => {
      const { client, consumerId } = receiver
      await client.ask('pauseConsumer', { consumerId })
      await resume(receiver)
    },
  ],
  [
    'by consuming anew',
    async ({ client, consume }) => {
      const { consumerId } = await consume()
      await client.ask('resumeConsumer', { consumerId })
      await client.ask('closeConsumer', { consumerId })
    },
  ],
]

async function flood(receivers: readonly Receiver[], ask: Asking): Promise<void> {
  for (let i = 0; i < REQUESTS; i++) {
    for (const receiver of receivers) await ask(receiver)
    await wait(REQUEST_EVERY_MS)
  }
}

describe('key frames of a sender', () => {
  test('are asked for at once when somebody joins, of the layer that they get alone', async () => {
    const stage = await Stage.set()
    const bob = await stage.joined()
    expect(stage.camera.asked).toEqual([])
    await resume(bob)
    await keyFrameArrives(bob)
    expect(stage.camera.asked).toEqual([HIGH])
  })

  test.each(asking)('are asked for twice a second at most, however often %s', async (_, ask) => {
    const stage = await Stage.set()
    const bob = await stage.watching(HIGH)
    await flood([bob], ask)
    expect(stage.asked(HIGH)).toBeGreaterThan(2)
    expect(stage.asked(HIGH)).toBeLessThanOrEqual(stage.allowed)
    expect(stage.asked(LOW)).toBe(0)
  })

  test('are asked for of each layer as often as of one', async () => {
    const stage = await Stage.set()
    await flood([await stage.watching(LOW), await stage.watching(HIGH)], byRtcp)
    for (const layer of [LOW, HIGH]) {
      expect(stage.asked(layer)).toBeGreaterThan(2)
      expect(stage.asked(layer)).toBeLessThanOrEqual(stage.allowed)
    }
  })

  test('reach who joins while somebody asks for them all the time', async () => {
    const stage = await Stage.set()
    const mallory = await stage.watching(HIGH)
    const flooding = flood([mallory], byRtcp)
    const carol = await stage.joined()
    await expect.poll(() => stage.asked(HIGH), { timeout: 10_000, interval: 5 }).toBeGreaterThan(1)
    const begunMs = performance.now()
    await resume(carol)
    await keyFrameArrives(carol)
    // Ten times what it takes.
    expect(performance.now() - begunMs).toBeLessThan(10 * keyFrameIntervalMs)
    await flooding
  })

  test('are few for a crowd that joins at once, and reach each of it', async () => {
    const stage = await Stage.set()
    const crowd = await Promise.all(Array.from({ length: 20 }, () => stage.joined()))
    await Promise.all(crowd.map(resume))
    await Promise.all(crowd.map(keyFrameArrives))
    expect(stage.asked(HIGH)).toBeLessThanOrEqual(stage.allowed)
  })

  test('would be asked for without end, were it not for the limit', async () => {
    const stage = await Stage.set({ keyFrameIntervalMs: 0 })
    await flood([await stage.watching(HIGH)], byRtcp)
    expect(stage.asked(HIGH)).toBeGreaterThan(2 * stage.allowed)
  })
})
