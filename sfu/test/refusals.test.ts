import type { MediaRefusalCode, MediaReply, RtpParameters } from '@conclave/core/mediaSignalling'
import { describe, expect, test } from 'vitest'
import { clientDtls, opus, vp8 } from './fixtures/rtp.ts'
import { MediaClient, runSfu } from './fixtures/runningSfu.ts'

const refused = (code: MediaRefusalCode) => expect.objectContaining({ ok: false, code }) as unknown
const withoutWorkers = { media: { workers: 0, addresses: [{ ip: '127.0.0.1' }] } }

describe('connecting', () => {
  test.each([
    ['no token', {}, 'token-missing'],
    ['a word', { token: 'x' }, 'token-malformed'],
    ['an object', { token: { token: 'x' } }, 'token-malformed'],
  ])('with %s is refused', async (_, auth, code) => {
    const running = await runSfu(withoutWorkers)
    await expect(MediaClient.connect(running.manager(), auth)).rejects.toMatchObject({
      data: { code },
    })
  })

  test('with a token that does not grant to join is refused', async () => {
    const running = await runSfu(withoutWorkers)
    await expect(running.client('standup', { grants: { subscribe: true } })).rejects.toMatchObject({
      data: { code: 'token-grant-missing' },
    })
  })

  test('twice on the same connection is refused the second time', async () => {
    const running = await runSfu(withoutWorkers)
    const manager = running.manager()
    const token = await running.access.mint({ identity: 'mallory', meeting: 'standup' })
    const answers: string[] = []
    await new Promise<void>((resolve) => manager.open(() => resolve()))
    manager.engine.on('message', (packet: string) => answers.push(packet))
    // What a client library never does: CONNECT packets before the first is answered.
    for (let packet = 0; packet < 3; packet++) {
      manager.engine.write(`0/media,${JSON.stringify({ token })}`)
    }
    await expect.poll(() => answers.length).toBe(3)
    expect(answers.filter((packet) => packet.startsWith('0/media,'))).toHaveLength(1)
    expect(answers.filter((packet) => packet.includes('already-connected'))).toHaveLength(2)
  })

  test('to another namespace is refused', async () => {
    const running = await runSfu(withoutWorkers)
    for (const name of ['/', '/elsewhere']) {
      const socket = running.manager().socket(name)
      const refusal = new Promise<Error>((resolve) => socket.once('connect_error', resolve))
      socket.connect()
      expect((await refusal).message).toMatch(/nothing is served here|Invalid namespace/)
      expect(socket.connected).toBe(false)
    }
  })

  test('beyond the number of connections is refused', async () => {
    const running = await runSfu({ ...withoutWorkers, limits: { connections: 1 } })
    await running.client('standup')
    await expect(running.client('standup')).rejects.toThrow()
  })

  test('without joining a room ends after a while', async () => {
    const running = await runSfu({ ...withoutWorkers, limits: { joinTimeoutMs: 100 } })
    const client = await running.client('standup')
    expect(await client.next('roomClosed')).toEqual({ code: 'join-timeout' })
    await expect.poll(() => client.socket.connected).toBe(false)
  })
})

describe('joining', () => {
  test("another meeting than the token's is refused", async () => {
    const running = await runSfu()
    const client = await running.client('standup')
    expect(await client.request('join', { meeting: 'retro' })).toEqual(
      refused('token-wrong-meeting'),
    )
    await client.ask('join', { meeting: 'standup' })
  })

  test('with a token for every meeting needs the name of one', async () => {
    const running = await runSfu()
    const client = await running.client('*')
    expect(await client.request('join', {})).toEqual(refused('token-wrong-meeting'))
    expect(await client.request('join', { meeting: '*' })).toEqual(refused('token-wrong-meeting'))
    await client.ask('join', { meeting: 'retro' })
  })

  test('a second time is refused, and the first stays', async () => {
    const running = await runSfu()
    const client = await running.client('standup')
    await client.ask('join', {})
    expect(await client.request('join', {})).toEqual(refused('already-joined'))
    await client.ask('createTransport', { direction: 'send' })
  })

  test('a full room, and one room more than allowed, are refused', async () => {
    const running = await runSfu({ limits: { rooms: 1, peersPerRoom: 1 } })
    const client = await running.client('standup')
    await client.ask('join', {})
    const second = await running.client('standup')
    expect(await second.request('join', {})).toEqual(refused('room-full'))
    const third = await running.client('retro')
    expect(await third.request('join', {})).toEqual(refused('too-many-rooms'))
  })
})

describe('requests', () => {
  test('before joining, each is refused', async () => {
    const running = await runSfu(withoutWorkers)
    const client = await running.client('standup')
    const id = { transportId: 'x', producerId: 'x', consumerId: 'x' }
    const early = [
      client.request('createTransport', { direction: 'send' }),
      client.request('connectTransport', { ...id, dtlsParameters: clientDtls }),
      client.request('pauseProducer', id),
      client.request('closeConsumer', id),
      client.request('leave', {}),
    ]
    for (const reply of await Promise.all(early)) expect(reply).toEqual(refused('not-joined'))
  })

  test('beyond the grants are refused', async () => {
    const running = await runSfu()
    const listener = await running.client('standup', { grants: { join: true, subscribe: true } })
    await listener.ask('join', {})
    expect(await listener.request('createTransport', { direction: 'send' })).toEqual(
      refused('token-grant-missing'),
    )
    await listener.ask('createTransport', { direction: 'recv' })
  })

  test.each<[string, string, unknown[]]>([
    ['no payload', 'join', []],
    ['null', 'join', [null]],
    ['a string', 'createTransport', ['send']],
    ['a list', 'createTransport', [['send']]],
    ['another direction', 'createTransport', [{ direction: 'sendrecv' }]],
    ['an empty meeting', 'join', [{ meeting: '' }]],
    ['an oversize meeting', 'join', [{ meeting: 'm'.repeat(257) }]],
    ['bytes', 'connectTransport', [Buffer.alloc(64)]],
    ['a numeric id', 'pauseProducer', [{ producerId: 7 }]],
    ['an oversize id', 'closeConsumer', [{ consumerId: 'c'.repeat(65) }]],
    ['a prototype', 'consume', [JSON.parse('{"__proto__": {"transportId": "x"}}')]],
    [
      'no fingerprints',
      'connectTransport',
      [{ transportId: 'x', dtlsParameters: { fingerprints: [] } }],
    ],
    [
      'a fingerprint of another hash',
      'connectTransport',
      [{ transportId: 'x', dtlsParameters: { fingerprints: [{ algorithm: 'md5', value: '' }] } }],
    ],
    [
      'a fingerprint that is none',
      'connectTransport',
      [
        {
          transportId: 'x',
          dtlsParameters: { fingerprints: [{ algorithm: 'sha-1', value: 'x' }] },
        },
      ],
    ],
    ['a microphone that is video', 'produce', [produceRequest({ source: 'microphone' })]],
    ['an unknown source', 'produce', [produceRequest({ source: 'keyboard' })]],
    ['a negative leaf', 'produce', [produceRequest({ leaf: -1 })]],
    ['half a leaf', 'produce', [produceRequest({ leaf: 0.5 })]],
    [
      'a thousand codecs',
      'produce',
      [produceRequest({ rtpParameters: { codecs: Array(1000).fill(vp8(1).codecs[0]) } })],
    ],
    [
      'a payload type beyond seven bits',
      'produce',
      [
        produceRequest({
          rtpParameters: {
            codecs: [{ mimeType: 'video/VP8', payloadType: 128, clockRate: 90_000 }],
          },
        }),
      ],
    ],
  ])('of the wrong shape (%s) are refused', async (_, name, payload) => {
    const running = await runSfu(withoutWorkers)
    const client = await running.client('standup')
    expect(await client.raw(name, ...payload)).toEqual(refused('request-malformed'))
  })

  test('that the SFU does not know are refused', async () => {
    const running = await runSfu(withoutWorkers)
    const client = await running.client('standup')
    for (const name of ['produceData', 'toString', '__proto__', '']) {
      expect(await client.raw(name, {})).toEqual(refused('request-unknown'))
    }
  })

  test('without an acknowledgement, and events called "error", harm nobody', async () => {
    const running = await runSfu()
    const calm = await running.client('standup')
    const rude = await running.client('standup')
    rude.socket.emit('error', 'boom')
    rude.socket.emit('join')
    rude.socket.emit('join', () => {})
    rude.socket.emit('produce', { leaf: {} }, 'not a function')
    await rude.ask('join', {})
    await calm.ask('join', {})
  })

  test('of which there are too many at a time are refused, later ones are not', async () => {
    const running = await runSfu({ limits: { pendingRequests: 3 } })
    const client = await running.client('standup')
    const replies = await Promise.all(Array.from({ length: 10 }, () => client.request('join', {})))
    expect(replies.filter((reply) => reply.ok)).toHaveLength(1)
    expect(replies).toContainEqual(refused('rate-limited'))
    await client.ask('leave', {})
  })

  test('beyond the rate are refused', async () => {
    const running = await runSfu({ ...withoutWorkers, limits: { messagesPerSecond: 1 } })
    const client = await running.client('standup')
    const codes: (string | undefined)[] = []
    for (let request = 0; request < 12; request++) {
      const reply = await client.raw<MediaReply<'leave'>>('leave', {})
      codes.push(reply.ok ? undefined : reply.code)
    }
    expect(codes[0]).toBe('not-joined')
    expect(codes.at(-1)).toBe('rate-limited')
  })

  test('larger than a packet may be end the connection', async () => {
    const running = await runSfu({ ...withoutWorkers, limits: { payloadBytes: 10_000 } })
    const client = await running.client('standup')
    const gone = new Promise((resolve) => client.socket.once('disconnect', resolve))
    client.socket.emit('join', { meeting: 'm'.repeat(20_000) })
    await gone
  })
})

describe('media requests', () => {
  async function joined() {
    const running = await runSfu({ limits: { consumersPerPeer: 1 } })
    const client = await running.client('standup')
    const { routerRtpCapabilities } = await client.ask('join', {})
    const send = await client.ask('createTransport', { direction: 'send' })
    const recv = await client.ask('createTransport', { direction: 'recv' })
    return { running, client, routerRtpCapabilities, send, recv }
  }

  test('for a second transport of a direction are refused', async () => {
    const { client } = await joined()
    expect(await client.request('createTransport', { direction: 'send' })).toEqual(
      refused('transport-limit'),
    )
  })

  test('for transports, producers and consumers that are not there are refused', async () => {
    const { client, recv, send } = await joined()
    const unknown = { transportId: 'x', producerId: 'x', consumerId: 'x' }
    const requests = {
      'transport-not-found': [
        client.request('connectTransport', { ...unknown, dtlsParameters: clientDtls }),
        client.raw('produce', produceRequest({ transportId: 'x' })),
        // The wrong direction is no transport for this either.
        client.raw('produce', produceRequest({ transportId: recv.transportId })),
        client.request('consume', {
          ...unknown,
          transportId: send.transportId,
          rtpCapabilities: {},
        }),
      ],
      'producer-not-found': [
        client.request('pauseProducer', unknown),
        client.request('resumeProducer', unknown),
        client.request('closeProducer', unknown),
        client.request('consume', {
          ...unknown,
          transportId: recv.transportId,
          rtpCapabilities: {},
        }),
      ],
      'consumer-not-found': [
        client.request('pauseConsumer', unknown),
        client.request('resumeConsumer', unknown),
        client.request('requestKeyFrame', unknown),
        client.request('closeConsumer', unknown),
      ],
    } as const
    for (const [code, replies] of Object.entries(requests)) {
      for (const reply of await Promise.all(replies))
        expect(reply).toMatchObject({ ok: false, code })
    }
  })

  test('to connect a transport twice are refused', async () => {
    const { client, send } = await joined()
    const request = { transportId: send.transportId, dtlsParameters: clientDtls }
    await client.ask('connectTransport', request)
    expect(await client.request('connectTransport', request)).toEqual(
      refused('transport-already-connected'),
    )
  })

  test.each<[string, RtpParameters]>([
    ['H265', codecOnly('video/H265')],
    ['VP9 of another profile', codecOnly('video/VP9', { 'profile-id': 2 })],
  ])('to send %s, for which there is no frame rule, are refused', async (_, rtpParameters) => {
    const { client, send } = await joined()
    const { transportId } = send
    expect(await client.raw('produce', produceRequest({ transportId, rtpParameters }))).toEqual(
      refused('unsupported-codec'),
    )
  })

  test('with media parameters that do not fit together are refused', async () => {
    const { client, send } = await joined()
    const { transportId } = send
    const rtpParameters = { ...vp8(1), codecs: vp8(1).codecs.slice(1) }
    expect(await client.raw('produce', produceRequest({ transportId, rtpParameters }))).toEqual(
      refused('request-malformed'),
    )
    await client.ask('produce', { ...produceRequest({ transportId }), source: 'screen' })
  })

  test('for a second producer of a source are refused, until the first is closed', async () => {
    const { client, send } = await joined()
    const { transportId } = send
    const { producerId } = await client.ask('produce', produceRequest({ transportId }))
    const again = produceRequest({ transportId, rtpParameters: vp8(5) })
    expect(await client.request('produce', again)).toEqual(refused('source-in-use'))
    await client.ask('closeProducer', { producerId })
    await client.ask('produce', again)
  })

  test("to consume one's own producer, too many, or what one cannot decode are refused", async () => {
    const { running, client, routerRtpCapabilities, send } = await joined()
    const { producerId } = await client.ask(
      'produce',
      produceRequest({ transportId: send.transportId }),
    )
    const bob = await running.client('standup')
    await bob.ask('join', {})
    const { transportId } = await bob.ask('createTransport', { direction: 'recv' })
    const consume = (rtpCapabilities: object) =>
      bob.request('consume', { transportId, producerId, rtpCapabilities })
    const audioOnly = {
      codecs: routerRtpCapabilities.codecs?.filter(({ kind }) => kind === 'audio') ?? [],
    }
    expect(await consume(audioOnly)).toEqual(refused('cannot-consume'))
    expect(await consume(routerRtpCapabilities)).toMatchObject({ ok: true })
    expect(await consume(routerRtpCapabilities)).toEqual(refused('consumer-limit'))
    const own = await client.ask('leave', {}).then(() => client.ask('join', {}))
    expect(own.producers).toEqual([])
  })

  test('pausing what another peer sends is refused', async () => {
    const { running, client, send } = await joined()
    const { producerId } = await client.ask('produce', {
      transportId: send.transportId,
      kind: 'audio',
      rtpParameters: opus(9),
      source: 'microphone',
      leaf: 0,
    })
    const mallory = await running.client('standup')
    await mallory.ask('join', {})
    for (const name of ['pauseProducer', 'closeProducer'] as const) {
      expect(await mallory.request(name, { producerId })).toEqual(refused('producer-not-found'))
    }
  })
})

function codecOnly(mimeType: string, parameters = {}): RtpParameters {
  const codec = { mimeType, payloadType: 96, clockRate: 90_000, parameters }
  return { codecs: [codec], encodings: [{ ssrc: 1 }] }
}

function produceRequest<Changes extends object>(changes: Changes) {
  return {
    transportId: 'x',
    kind: 'video' as const,
    rtpParameters: vp8(1),
    source: 'camera' as const,
    leaf: 0,
    ...changes,
  }
}
