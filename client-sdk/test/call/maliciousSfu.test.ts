import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connectCall } from '@conclave/client/call'
import { mediaNamespace } from '@conclave/core/mediaSignalling'
import { generateRouterRtpCapabilities } from 'mediasoup-client/fakeParameters'
import { Server, type Socket } from 'socket.io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { fakeBrowser, fakeTrack } from './fakeBrowser.ts'
import { Group, next } from './meetingRoom.ts'

type Answers = Record<string, unknown>

/** A server that answers signalling as it is told to, whatever that is. */
async function runMaliciousSfu(answers: Answers): Promise<{ url: string; socket(): Socket }> {
  const httpServer = createServer().listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  const io = new Server(httpServer)
  let connected: Socket | undefined
  io.of(mediaNamespace).on('connection', (socket) => {
    connected = socket
    socket.onAny((name: string, _request: unknown, acknowledge: (answer: unknown) => void) => {
      acknowledge(answers[name])
    })
  })
  onTestFinished(async () => {
    await io.close()
  })
  return {
    url: `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`,
    socket() {
      if (connected === undefined) throw new Error('nobody is connected')
      return connected
    },
  }
}

const group = new Group()
group.add(0, 'alice')
group.add(1, 'bob')

function connect(url: string) {
  const protection = group.member(1)
  const call = connectCall({ sfu: url, token: 'x', protection, handlerFactory: fakeBrowser() })
  return { protection, call }
}

const joined = {
  ok: true,
  peerId: 'p',
  routerRtpCapabilities: generateRouterRtpCapabilities(),
  producers: [],
}

const camera = {
  producerId: 'a',
  peerId: 'p',
  kind: 'video',
  source: 'camera',
  leaf: 0,
  paused: false,
}

describe('an SFU that does not keep to the protocol', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['a word', 'ok'],
    ['no capabilities', { ok: true, producers: [] }],
    ['no producers', { ok: true, routerRtpCapabilities: {} }],
    ['capabilities that are none', { ...joined, routerRtpCapabilities: { codecs: 7 } }],
    ['a codec that is none', { ...joined, routerRtpCapabilities: { codecs: [null] } }],
  ])('and answers a join with %s is reported', async (_, join) => {
    const { url } = await runMaliciousSfu({ join })
    await expect(connect(url).call).rejects.toMatchObject({ code: 'sfu-protocol-violated' })
  })

  test('and offers only codecs without a frame rule gets no media', async () => {
    const codecs = joined.routerRtpCapabilities.codecs?.map((codec) => ({
      ...codec,
      mimeType: codec.kind === 'video' ? 'video/H265' : 'audio/PCMU',
    }))
    const { url } = await runMaliciousSfu({
      join: { ...joined, routerRtpCapabilities: { codecs, headerExtensions: [] } },
    })
    await expect(connect(url).call).rejects.toMatchObject({ code: 'no-common-codec' })
  })

  test('and sends events of any shape changes nothing', async () => {
    const { url, socket } = await runMaliciousSfu({ join: joined })
    const { protection, call: connecting } = connect(url)
    const call = await connecting
    const events: unknown[] = []
    call.on('track', (event) => events.push(event))
    call.on('unknownSender', (event) => events.push(event))
    const payloads = [
      undefined,
      null,
      7,
      [],
      'newProducer',
      {},
      { ...camera, leaf: -1 },
      { ...camera, leaf: 1.5 },
      { ...camera, leaf: '0' },
      { ...camera, source: 'keyboard' },
      { ...camera, kind: 'audio' },
      { ...camera, producerId: 'x'.repeat(65) },
      { ...camera, paused: 'no' },
    ]
    const names = [
      'newProducer',
      'producerClosed',
      'producerPaused',
      'peerLeft',
      'error',
      'toString',
    ]
    for (const name of names) for (const payload of payloads) socket().emit(name, payload)
    // The last one is well formed, so all before it have been received.
    const unknown = next(call, 'unknownSender')
    socket().emit('newProducer', { ...camera, leaf: 9 })
    expect(await unknown).toEqual({ leaf: 9, source: 'camera' })
    expect(events).toEqual([{ leaf: 9, source: 'camera' }])
    expect(protection.attached).toEqual([])
    expect(call.closed).toBe(false)
  })

  test.each<[string, Answers]>([
    ['no transport', { createTransport: { ok: true } }],
    [
      'a consumer of another producer',
      {
        createTransport: { ok: true, ...transport() },
        consume: { ok: true, consumerId: 'c', producerId: 'b', kind: 'video', rtpParameters: {} },
      },
    ],
    [
      'a consumer without parameters',
      {
        createTransport: { ok: true, ...transport() },
        consume: { ok: true, consumerId: 'c', producerId: 'a', kind: 'video', rtpParameters: {} },
      },
    ],
  ])('and describes %s gets an event, not an exception', async (_, answers) => {
    const { url, socket } = await runMaliciousSfu({ join: joined, ...answers })
    const { protection, call: connecting } = connect(url)
    const call = await connecting
    const failed = next(call, 'trackFailed')
    socket().emit('newProducer', camera)
    expect(await failed).toMatchObject({ leaf: 0, source: 'camera' })
    expect(protection.attached).toEqual([])
    expect(call.tracks).toEqual([])
  })

  test('and refuses to produce is named when publishing', async () => {
    const { url } = await runMaliciousSfu({
      join: joined,
      createTransport: { ok: true, ...transport() },
      connectTransport: { ok: true },
      produce: { ok: false, code: 'producer-limit', message: '' },
    })
    const call = await connect(url).call
    await expect(call.publish(fakeTrack('video'), { source: 'camera' })).rejects.toMatchObject({
      code: 'sfu-refused',
      detail: 'producer-limit',
    })
  })
})

function transport() {
  return {
    transportId: 't',
    iceParameters: { usernameFragment: 'u', password: 'p', iceLite: true },
    iceCandidates: [],
    dtlsParameters: { role: 'auto', fingerprints: [{ algorithm: 'sha-256', value: 'AB' }] },
  }
}
