import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  deliveryNamespace,
  packEntries,
  packJoiners,
  type RequestName,
} from '@conclave/core/delivery'
import { Server, type Socket } from 'socket.io'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { connectServer } from '../../src/edge/serverConnection.ts'
import { socketTransport } from '../../src/edge/socketTransport.ts'
import { type DeliveryTransport, SecureMeeting } from '../../src/index.ts'
import { crypto } from './support/people.ts'

const patience = { timeout: 20_000, interval: 5 }

interface FakeKeyserver {
  readonly url: string
  readonly io: Server
  readonly sockets: Socket[]
}

/** A real socket.io server that does as the test says. */
async function startFake(
  connected: (socket: Socket) => void,
  admit: (token: unknown) => Error | undefined = () => undefined,
): Promise<FakeKeyserver> {
  const http = createServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
  const io = new Server(http, { transports: ['websocket'], maxHttpBufferSize: 1e8 })
  const sockets: Socket[] = []
  io.of(deliveryNamespace).use((socket, next) => next(admit(socket.handshake.auth['token'])))
  io.of(deliveryNamespace).on('connection', (socket) => {
    sockets.push(socket)
    connected(socket)
  })
  onTestFinished(async () => {
    await io.close()
    http.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, io, sockets }
}

/** Answers every request with the same. */
const answering = (reply: unknown) => (socket: Socket) => {
  socket.onAny((...args: unknown[]) => {
    const acknowledge = args.at(-1)
    if (typeof acknowledge === 'function') acknowledge(reply)
  })
}

function connectTo({ url }: FakeKeyserver) {
  const transport: DeliveryTransport = socketTransport(connectServer(url), 'token')
  const seen: unknown[][] = []
  transport.start({
    connected: () => seen.push(['connected']),
    disconnected: () => seen.push(['disconnected']),
    rejected: (code, message) => seen.push(['rejected', code, message]),
    notice: (name, notice) => seen.push([name, notice]),
  })
  onTestFinished(() => transport.close())
  const connected = () =>
    expect.poll(() => seen.some(([name]) => name === 'connected'), patience).toBe(true)
  return { transport, seen, connected }
}

const groupId = new Uint8Array(16)
const requests: readonly [RequestName, object][] = [
  ['enter', { protocol: 1, meetingId: 'standup' }],
  ['create', { groupInfo: groupId, ratchetTree: groupId }],
  ['wait', { groupId, keyPackage: groupId }],
  ['resume', { groupId, after: 0 }],
  ['attach', { groupId, leafIndex: 0, signature: groupId }],
  ['propose', { groupId, message: groupId }],
  ['commit', { groupId, after: 0, message: groupId, welcome: null, groupInfo: groupId }],
  ['tree', { groupId, treeHash: groupId }],
]

const wrong: readonly [string, unknown][] = [
  ['nothing', undefined],
  ['null', null],
  ['a string', 'ok'],
  ['a number', 7],
  ['a byte string', Buffer.alloc(10)],
  ['a list', [{ ok: true }]],
  ['an empty object', {}],
  ['success without what belongs to it', { ok: 1 }],
  ['a refusal without a code', { ok: false }],
  ['a refusal whose code is no string', { ok: false, code: 7, message: '' }],
  [
    'a refusal with an endless message',
    { ok: false, code: 'internal', message: 'x'.repeat(2_000) },
  ],
  [
    'a refusal with entries that are none',
    { ok: false, code: 'epoch-mismatch', message: '', missed: Buffer.from([1, 2, 3]) },
  ],
  [
    'a refusal with a group that is none',
    { ok: false, code: 'meeting-exists', message: '', group: { groupId: 'x', epoch: -1 } },
  ],
]

/** Answers that have everything but one thing right. */
const almost: readonly [RequestName, object][] = [
  ['enter', { ok: true, group: null, externalSender: Buffer.alloc(257), nonce: groupId }],
  ['enter', { ok: true, externalSender: groupId, nonce: groupId }],
  [
    'enter',
    { ok: true, group: { groupId, epoch: 1.5, head: 0 }, externalSender: groupId, nonce: groupId },
  ],
  ['create', { ok: true, seq: -1, durable: true }],
  ['create', { ok: true, seq: 2 ** 60, durable: true }],
  ['create', { ok: true, seq: 0, durable: 'yes' }],
  ['wait', { ok: true, position: Number.NaN }],
  ['resume', { ok: true, entries: [], head: 0, waiting: packJoiners([]), present: [] }],
  [
    'resume',
    { ok: true, entries: packEntries([]), head: 0, waiting: Buffer.from([9]), present: [] },
  ],
  [
    'resume',
    { ok: true, entries: packEntries([]), head: 0, waiting: packJoiners([]), present: ['0'] },
  ],
  [
    'resume',
    {
      ok: true,
      entries: packEntries([]),
      head: 0,
      waiting: packJoiners([]),
      present: Array.from({ length: 5_000 }, (_, i) => i),
    },
  ],
  [
    'resume',
    {
      ok: true,
      entries: Buffer.alloc((8 << 20) + 1),
      head: 0,
      waiting: packJoiners([]),
      present: [],
    },
  ],
  ['tree', { ok: true, ratchetTree: Buffer.alloc((16 << 20) + 1) }],
  ['tree', { ok: true, ratchetTree: 'tree' }],
]

describe('a keyserver whose answers have the wrong shape', () => {
  it.each(wrong)('%s is understood as no answer to anything', async (_, reply) => {
    const fake = await startFake(answering(reply))
    const { transport, connected } = connectTo(fake)
    await connected()
    for (const [name, request] of requests) {
      await expect(transport.request(name, request as never)).rejects.toMatchObject({
        code: 'keyserver-protocol-violated',
      })
    }
  })

  it.each(almost)('%s is not answered by what is almost an answer', async (name, reply) => {
    const fake = await startFake(answering(reply))
    const { transport, connected } = connectTo(fake)
    await connected()
    const request = requests.find(([candidate]) => candidate === name)?.[1]
    await expect(transport.request(name, request as never)).rejects.toMatchObject({
      code: 'keyserver-protocol-violated',
    })
  })

  it.each(wrong)('%s as an answer ends a join', async (_, reply) => {
    const fake = await startFake(answering(reply))
    const joining = SecureMeeting.join({
      keyserver: fake.url,
      meetingId: 'standup',
      token: 'token',
      identity: { id: 'alice' },
      trust: { policy: 'open' },
      crypto,
    })
    await expect(joining).rejects.toMatchObject({ code: 'keyserver-protocol-violated' })
  })

  it('lists are unpacked, and what an answer has beside what belongs to it is dropped', async () => {
    const entries = [{ seq: 1, message: Uint8Array.of(1) }]
    const waiting = [{ ref: Uint8Array.of(2), keyPackage: Uint8Array.of(3) }]
    const reply = {
      ok: true,
      entries: packEntries(entries),
      head: 1,
      waiting: packJoiners(waiting),
      present: [0],
      surprise: 'x',
    }
    const fake = await startFake(answering(reply))
    const { transport, connected } = connectTo(fake)
    await connected()
    expect(await transport.request('resume', { groupId, after: 0 })).toEqual({
      ok: true,
      entries,
      head: 1,
      waiting,
      present: [0],
    })
  })

  it('a refusal with a code that nobody knows is a refusal', async () => {
    const fake = await startFake(answering({ ok: false, code: 'too-late', message: 'sorry' }))
    const { transport, connected } = connectTo(fake)
    await connected()
    const reply = await transport.request('tree', { groupId, treeHash: groupId })
    expect(reply).toEqual({ ok: false, code: 'too-late', message: 'sorry' })
  })
})

describe('notices', () => {
  it('that cannot be understood are dropped, and the others come through', async () => {
    const fake = await startFake(() => {})
    const { seen, connected } = connectTo(fake)
    await connected()
    const entry = { seq: 1, message: Buffer.from([1]) }
    const [socket] = fake.sockets
    socket?.emit('entry')
    socket?.emit('entry', null)
    socket?.emit('entry', { groupId, entry: { seq: 'one', message: Buffer.from([1]) } })
    socket?.emit('entry', { groupId: Buffer.alloc(1_000), entry })
    socket?.emit('entry', { groupId, entry: { seq: 1, message: Buffer.alloc((1 << 20) + 1) } })
    socket?.emit('waiting', { groupId, joiners: [] })
    socket?.emit('present', { groupId, leaves: [-1] })
    socket?.emit('welcome', { groupId, ref: groupId, welcome: 'x', seq: 0 })
    socket?.emit('closed', { groupId, reason: 'because' })
    socket?.emit('unheard-of', { groupId })
    socket?.emit('entry', { groupId, entry })
    await expect.poll(() => seen.length, patience).toBe(2)
    expect(seen[1]).toEqual(['entry', { groupId, entry: { seq: 1, message: Uint8Array.of(1) } }])
  })
})

describe('the connection', () => {
  it('is tried again where the server hangs up on purpose', async () => {
    const fake = await startFake((socket) => {
      if (fake.sockets.length === 1) socket.disconnect(true)
    })
    const { seen } = connectTo(fake)
    await expect
      .poll(() => seen.map(([name]) => name), patience)
      .toEqual(['connected', 'disconnected', 'connected'])
  })

  it('is not tried again where the token was refused', async () => {
    const refusal = Object.assign(new Error('expired'), { data: { code: 'token-expired' } })
    let attempts = 0
    const fake = await startFake(
      () => {},
      () => {
        attempts += 1
        return refusal
      },
    )
    const { seen } = connectTo(fake)
    await expect.poll(() => seen, patience).toEqual([['rejected', 'token-expired', 'expired']])
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    expect(attempts).toBe(1)
  })

  it.each([
    ['rate-limited', { code: 'rate-limited' }],
    ['an unknown code', { code: 'too-early' }],
    ['no code', undefined],
  ])('is tried again where it was refused with %s', async (_, data) => {
    let attempts = 0
    const fake = await startFake(
      () => {},
      () => {
        attempts += 1
        return attempts === 1 ? Object.assign(new Error('not now'), { data }) : undefined
      },
    )
    const { seen } = connectTo(fake)
    await expect.poll(() => seen.map(([name]) => name), patience).toEqual(['connected'])
  })

  it('is begun anew where an answer stays out', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const fake = await startFake(() => {})
    const { transport, seen, connected } = connectTo(fake)
    await connected()
    const asked = transport
      .request('resume', { groupId, after: 0 })
      .then(String, (error: { code: string }) => error.code)
    await vi.advanceTimersByTimeAsync(15_000)
    expect(await asked).toBe('keyserver-unreachable')
    await expect
      .poll(() => seen.map(([name]) => name), patience)
      .toEqual(['connected', 'disconnected', 'connected'])
  })

  it('fails what is out when it is lost, and asks nothing while it is', async () => {
    const fake = await startFake((socket) => {
      socket.onAny(() => socket.conn.close())
    })
    const { transport, connected } = connectTo(fake)
    await connected()
    const request = () => transport.request('resume', { groupId, after: 0 })
    await expect(request()).rejects.toMatchObject({ code: 'keyserver-unreachable' })
    transport.close()
    await expect(request()).rejects.toMatchObject({ code: 'keyserver-unreachable' })
  })

  it('tells nothing and leaves nothing open once it is closed', async () => {
    const fake = await startFake(() => {})
    const { transport, seen, connected } = connectTo(fake)
    await connected()
    transport.close()
    transport.close()
    await expect.poll(() => fake.io.engine.clientsCount, patience).toBe(0)
    expect(seen).toEqual([['connected']])
  })

  it('is not opened at all where it is closed before it was started', () => {
    const transport = socketTransport(connectServer('http://127.0.0.1:9'), 'token')
    expect(() => transport.close()).not.toThrow()
  })
})
