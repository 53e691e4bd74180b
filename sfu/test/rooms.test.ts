import { once } from 'node:events'
import type { ProducerInfo } from '@conclave/core/mediaSignalling'
import type { types } from 'mediasoup'
import { describe, expect, test } from 'vitest'
import { clientDtls, opus, vp8 } from './fixtures/rtp.ts'
import { type MediaClient, type RunningSfu, runSfu } from './fixtures/runningSfu.ts'

async function sender(running: RunningSfu, meeting: string) {
  const client = await running.client(meeting)
  const { peerId } = await client.ask('join', {})
  const { transportId } = await client.ask('createTransport', { direction: 'send' })
  return { client, peerId, transportId }
}

async function publishCamera(client: MediaClient, transportId: string, leaf = 3) {
  const { producerId } = await client.ask('produce', {
    transportId,
    kind: 'video',
    rtpParameters: vp8(1111),
    source: 'camera',
    leaf,
  })
  return producerId
}

describe('rooms', () => {
  test('a router offers the codecs that have a frame rule, VP8 first of video', async () => {
    const running = await runSfu()
    const client = await running.client('standup')
    const { routerRtpCapabilities } = await client.ask('join', {})
    expect(routerRtpCapabilities.codecs?.map(({ mimeType }) => mimeType)).toEqual([
      'audio/opus',
      'video/VP8',
      'video/rtx',
      'video/VP9',
      'video/rtx',
      'video/H264',
      'video/rtx',
      'video/AV1',
      'video/rtx',
    ])
  })

  test('a producer is announced to the others and consumed by them, paused at first', async () => {
    const running = await runSfu()
    const alice = await sender(running, 'standup')
    const bob = await running.client('standup')
    const { routerRtpCapabilities } = await bob.ask('join', {})
    const announced = bob.next('newProducer')
    const producerId = await publishCamera(alice.client, alice.transportId)
    const info: ProducerInfo = {
      producerId,
      peerId: alice.peerId,
      kind: 'video',
      source: 'camera',
      leaf: 3,
      paused: false,
    }
    expect(await announced).toEqual(info)

    const { transportId, iceCandidates } = await bob.ask('createTransport', { direction: 'recv' })
    expect(new Set(iceCandidates.map(({ protocol }) => protocol))).toEqual(new Set(['udp', 'tcp']))
    await bob.ask('connectTransport', { transportId, dtlsParameters: clientDtls })
    const made = new Promise<types.Consumer>((resolve) => {
      running.sfu.observer.on('newconsumer', ({ consumer }) => resolve(consumer))
    })
    const { consumerId, kind, rtpParameters } = await bob.ask('consume', {
      transportId,
      producerId,
      rtpCapabilities: routerRtpCapabilities,
    })
    expect(kind).toBe('video')
    expect(rtpParameters.codecs[0]?.mimeType).toBe('video/VP8')
    const consumer = await made
    expect(consumer.paused).toBe(true)
    await bob.ask('resumeConsumer', { consumerId })
    expect(consumer.paused).toBe(false)
    await bob.ask('pauseConsumer', { consumerId })
    expect(consumer.paused).toBe(true)
    await bob.ask('requestKeyFrame', { consumerId })
    await bob.ask('closeConsumer', { consumerId })
    expect(consumer.closed).toBe(true)
  })

  test('whoever joins later is told of the producers that are there', async () => {
    const running = await runSfu()
    const alice = await sender(running, 'standup')
    const producerId = await publishCamera(alice.client, alice.transportId, 7)
    const bob = await running.client('standup')
    const { producers } = await bob.ask('join', {})
    expect(producers).toMatchObject([{ producerId, peerId: alice.peerId, leaf: 7 }])
  })

  test('rooms are apart: another meeting sees and consumes nothing', async () => {
    const running = await runSfu()
    const alice = await sender(running, 'standup')
    const producerId = await publishCamera(alice.client, alice.transportId)
    const mallory = await running.client('retro')
    const { producers, routerRtpCapabilities } = await mallory.ask('join', {})
    expect(producers).toEqual([])
    const { transportId } = await mallory.ask('createTransport', { direction: 'recv' })
    const reply = await mallory.request('consume', {
      transportId,
      producerId,
      rtpCapabilities: routerRtpCapabilities,
    })
    expect(reply).toMatchObject({ ok: false, code: 'producer-not-found' })
  })

  test('pausing, resuming and closing a producer reach the others', async () => {
    const running = await runSfu()
    const alice = await sender(running, 'standup')
    const producerId = await publishCamera(alice.client, alice.transportId)
    const bob = await running.client('standup')
    await bob.ask('join', {})
    const events = ['producerPaused', 'producerResumed', 'producerClosed'] as const
    const [paused, resumed, closed] = events.map((name) => bob.next(name))
    await alice.client.ask('pauseProducer', { producerId })
    expect(await paused).toEqual({ producerId })
    await alice.client.ask('resumeProducer', { producerId })
    expect(await resumed).toEqual({ producerId })
    await alice.client.ask('closeProducer', { producerId })
    expect(await closed).toEqual({ producerId })
  })

  test('a peer that leaves takes its producers along and may join again', async () => {
    const running = await runSfu()
    const alice = await sender(running, 'standup')
    const producerId = await publishCamera(alice.client, alice.transportId)
    const bob = await running.client('standup')
    await bob.ask('join', {})
    const closed = bob.next('producerClosed')
    const left = bob.next('peerLeft')
    await alice.client.ask('leave', {})
    expect(await closed).toEqual({ producerId })
    expect(await left).toEqual({ peerId: alice.peerId })
    await alice.client.ask('join', {})
  })

  test('a peer whose connection breaks has left', async () => {
    const running = await runSfu()
    const alice = await sender(running, 'standup')
    const bob = await running.client('standup')
    await bob.ask('join', {})
    const left = bob.next('peerLeft')
    alice.client.socket.io.engine.close()
    expect(await left).toEqual({ peerId: alice.peerId })
  })

  test('what was being made for a peer that left is not kept', async () => {
    const running = await runSfu()
    const opened = new Promise<types.Router>((resolve) =>
      running.sfu.observer.on('newroom', ({ router }) => resolve(router)),
    )
    const bob = await running.client('standup')
    await bob.ask('join', {})
    const router = await opened
    const left = new Promise((resolve) => running.sfu.observer.on('peerclosed', resolve))
    const alice = await running.client('standup')
    await alice.ask('join', {})
    // The worker answers only after the peer has left.
    const [pid = Number.NaN] = running.workerPids
    process.kill(pid, 'SIGSTOP')
    alice.socket.emit('createTransport', { direction: 'send' })
    for (let turn = 0; turn < 3; turn++) await bob.request('closeProducer', { producerId: 'x' })
    alice.socket.disconnect()
    await left
    process.kill(pid, 'SIGCONT')
    await expect.poll(async () => (await router.dump()).transportIds).toEqual([])
  })

  test('a room closes with its last peer', async () => {
    const running = await runSfu()
    const rooms: types.Router[] = []
    running.sfu.observer.on('newroom', ({ router }) => rooms.push(router))
    const alice = await sender(running, 'standup')
    expect(running.sfu.health()).toMatchObject({ status: 'ok', rooms: 1 })
    const [router] = rooms
    await alice.client.ask('leave', {})
    expect(running.sfu.health().rooms).toBe(0)
    expect(router?.closed).toBe(true)
  })

  test('clients that join an empty meeting at once meet in one room', async () => {
    const running = await runSfu()
    const clients = await Promise.all([1, 2, 3].map(() => running.client('standup')))
    await Promise.all(clients.map((client) => client.ask('join', {})))
    expect(running.sfu.health().rooms).toBe(1)
  })

  test('when a worker dies its rooms close, and a new worker takes new ones', async () => {
    const running = await runSfu()
    const workers: types.Worker[] = []
    running.sfu.observer.on('newworker', (worker) => workers.push(worker))
    const alice = await sender(running, 'standup')
    const died = new Promise<types.Worker>((resolve) =>
      running.sfu.observer.on('workerdied', resolve),
    )
    const closed = alice.client.next('roomClosed')
    const room = new Promise<types.Router>((resolve) =>
      running.sfu.observer.on('newroom', ({ router }) => resolve(router)),
    )
    process.kill(running.workerPids[0] ?? Number.NaN, 'SIGKILL')
    expect(await closed).toEqual({ code: 'worker-died' })
    expect((await died).died).toBe(true)
    expect(running.sfu.health()).toMatchObject({ status: 'degraded', rooms: 0 })
    expect(await alice.client.request('join', {})).toMatchObject({ ok: false, code: 'no-worker' })
    await expect.poll(() => running.sfu.health().status, { timeout: 15_000 }).toBe('ok')
    await alice.client.ask('join', {})
    expect((await room).closed).toBe(false)
    expect(workers).toHaveLength(1)
  })

  test('closing the SFU tells every client and leaves no worker behind', async () => {
    const running = await runSfu()
    const alice = await sender(running, 'standup')
    const closed = alice.client.next('roomClosed')
    const disconnected = new Promise((resolve) => alice.client.socket.once('disconnect', resolve))
    await running.sfu.close()
    expect(await closed).toEqual({ code: 'server-closing' })
    await disconnected
    const [pid] = running.workerPids
    await expect.poll(() => isRunning(pid ?? Number.NaN), { timeout: 10_000 }).toBe(false)
  })

  test('a tap on a room reads what a producer of the room sends', async () => {
    const running = await runSfu()
    const opened = new Promise<types.Router>((resolve) =>
      running.sfu.observer.on('newroom', ({ router }) => resolve(router)),
    )
    await sender(running, 'standup')
    const router = await opened
    const source = await router.createDirectTransport()
    const producer = await source.produce({ kind: 'audio', rtpParameters: opus(2222) })
    const tap = await router.createDirectTransport()
    const consumer = await tap.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities,
    })
    const received = once(consumer, 'rtp')
    const payload = Buffer.from('opaque to the SFU')
    producer.send(rtpPacket(2222, payload))
    const [packet] = await received
    expect((packet as Buffer).subarray(-payload.length)).toEqual(payload)
  })
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** RFC 3550 §5.1, without extensions. */
function rtpPacket(ssrc: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt8(0x80, 0)
  header.writeUInt8(111, 1)
  header.writeUInt16BE(1, 2)
  header.writeUInt32BE(960, 4)
  header.writeUInt32BE(ssrc, 8)
  return Buffer.concat([header, payload])
}
