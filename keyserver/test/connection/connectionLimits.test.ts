import { deliveryNamespace } from '@conclave/core/delivery'
import { io, Manager, type Socket } from 'socket.io-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { eventually } from '../support/eventually.ts'
import { TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'
import { recordingObserver } from './recordingObserver.ts'

const rateLimited = { data: { code: 'rate-limited' } }
const resume = { groupId: new Uint8Array(16), after: 0 }

/** A connection that comes, by its header, from `address`. */
async function connectFrom(server: TestServer, address: string, identity = address) {
  const socket: Socket = io(server.url + deliveryNamespace, {
    transports: ['websocket'],
    auth: { token: await server.token(identity, 'standup') },
    extraHeaders: { 'x-forwarded-for': address },
    reconnection: false,
    forceNew: true,
  })
  onTestFinished(() => {
    socket.disconnect()
  })
  return await new Promise<Socket>((resolve, reject) => {
    socket.once('connect', () => resolve(socket))
    socket.once('connect_error', reject)
    socket.io.once('close', () => setImmediate(reject, new Error('cut')))
  })
}

describe('the connections of one address', () => {
  test('are limited by the address that the trusted proxy names', async () => {
    const { observer, refused } = recordingObserver()
    const limits = { connectionsPerAddress: 2 }
    const server = await TestServer.start({ limits, trustedProxies: 1, observer })
    const first = await connectFrom(server, '192.0.2.1', 'alice')
    await connectFrom(server, '192.0.2.1', 'bob')
    await expect(connectFrom(server, '192.0.2.1', 'carol')).rejects.toMatchObject(rateLimited)
    await connectFrom(server, '192.0.2.2', 'carol')
    expect(refused).toEqual([{ request: 'connect', code: 'rate-limited', detail: undefined }])

    first.disconnect()
    await eventually('room for another', () =>
      connectFrom(server, '192.0.2.1', 'dave').catch(() => undefined),
    )
  })

  test('are those of the socket where no proxy is trusted', async () => {
    const server = await TestServer.start({ limits: { connectionsPerAddress: 1 } })
    await connectFrom(server, '192.0.2.1')
    await expect(connectFrom(server, '192.0.2.2')).rejects.toMatchObject(rateLimited)
  })

  test('are those of a /64 in IPv6', async () => {
    const limits = { connectionsPerAddress: 1 }
    const server = await TestServer.start({ limits, trustedProxies: 1 })
    await connectFrom(server, '2001:db8::1')
    await expect(connectFrom(server, '2001:db8::ffff:2')).rejects.toMatchObject(rateLimited)
    await connectFrom(server, '2001:db8:0:1::1')
  })

  test('can be tried so often a minute', async () => {
    const clock = new VirtualClock()
    const limits = { connectionAttemptsPerMinute: 2 }
    const server = await TestServer.start({ clock, limits })
    for (let attempt = 0; attempt < 2; attempt++) {
      const client = await server.connect('alice', 'standup')
      client.disconnect()
    }
    await expect(server.connect('alice', 'standup')).rejects.toMatchObject(rateLimited)
    clock.advance(30_000)
    await server.connect('alice', 'standup')
  })

  test('count before they present a token, and those refused do not pile up', async () => {
    const server = await TestServer.start({ limits: { connectionsPerAddress: 1 } })
    const managers = Array.from({ length: 100 }, () => {
      const manager = new Manager(server.url, {
        path: '/socket.io',
        transports: ['websocket'],
        reconnection: false,
        forceNew: true,
      })
      onTestFinished(() => manager._close())
      return manager
    })
    const states = () => managers.map(({ _readyState }) => _readyState)
    // One counts, 64 may hear that they do not, and the others are cut at once.
    await eventually('the cut', () => !states().includes('opening'))
    await eventually('the cut', () => states().filter((state) => state === 'open').length === 65)
    for (const manager of managers) manager._close()
    await eventually('room for another', () =>
      connectFrom(server, 'anywhere', 'alice').catch(() => undefined),
    )
  })
})

describe('the connections of one identity', () => {
  test('are limited, and one that goes makes room', async () => {
    const server = await TestServer.start({ limits: { connectionsPerIdentity: 1 } })
    const first = await server.connect('alice', 'standup')
    await expect(server.connect('alice', 'retro')).rejects.toMatchObject(rateLimited)
    await server.connect('bob', 'standup')
    first.disconnect()
    await eventually('room for another', () =>
      server.connect('alice', 'retro').catch(() => undefined),
    )
  })

  test('are counted once, however often they come and go on one socket', async () => {
    const server = await TestServer.start({ limits: { connectionsPerIdentity: 1 } })
    const { socket } = await server.connect('alice', 'standup')
    for (let again = 0; again < 3; again++) {
      socket.disconnect().connect()
      await eventually('the connection', () => socket.connected)
    }
    await expect(server.connect('alice', 'standup')).rejects.toMatchObject(rateLimited)
  })

  test('share its requests', async () => {
    const clock = new VirtualClock()
    const limits = { identityRequestBurst: 4, identityRequestsPerSecond: 1 }
    const server = await TestServer.start({ clock, limits })
    const [one, two] = [await server.connect('alice', 'a'), await server.connect('alice', 'b')]
    const bob = await server.connect('bob', 'a')
    for (const client of [one, two, one, two]) {
      expect(await client.send('resume', resume)).toMatchObject({ code: 'not-entered' })
    }
    for (const client of [one, two]) {
      expect(await client.send('resume', resume)).toMatchObject({ code: 'rate-limited' })
    }
    expect(await bob.send('resume', resume)).toMatchObject({ code: 'not-entered' })
    clock.advance(1000)
    expect(await two.send('resume', resume)).toMatchObject({ code: 'not-entered' })
  })
})

describe('a commit', () => {
  test('counts for its size, unless it wins or loses to another', async () => {
    const clock = new VirtualClock()
    const limits = { requestBurst: 64, requestsPerSecond: 1, identityRequestsPerSecond: 1 }
    const server = await TestServer.start({ clock, limits })
    const alice = await TestMember.found(server, 'alice')
    const { upload: lost } = await alice.prepareCommit()
    for (let commit = 0; commit < 15; commit++) await alice.commit()
    for (let again = 0; again < 15; again++) {
      expect(await alice.client.request('commit', lost)).toMatchObject({ code: 'epoch-mismatch' })
    }
    await alice.resume()
    const { upload } = await alice.prepareCommit()
    const invalid = { ...upload, welcome: new Uint8Array(64 << 10) }
    expect(await alice.client.request('commit', invalid)).toMatchObject({
      code: 'message-invalid',
    })
    const limited = { code: 'rate-limited' }
    expect(await alice.client.send('resume', resume)).toMatchObject(limited)
    clock.advance(32_000)
    expect(await alice.client.send('resume', resume)).toMatchObject(limited)
    clock.advance(32_000)
    expect(await alice.client.send('resume', resume)).toMatchObject({ code: 'group-unknown' })
  })

  test('counts for the identity, on whichever connection', async () => {
    const clock = new VirtualClock()
    const limits = { identityRequestBurst: 32, identityRequestsPerSecond: 1 }
    const server = await TestServer.start({ clock, limits })
    const alice = await TestMember.found(server, 'alice')
    const other = await server.connect('alice', 'standup')
    const { upload } = await alice.prepareCommit()
    const message = new Uint8Array(64 << 10)
    expect(await alice.client.request('commit', { ...upload, message })).toMatchObject({
      code: 'message-invalid',
    })
    expect(await other.send('resume', resume)).toMatchObject({ code: 'rate-limited' })
    clock.advance(64_000)
    expect(await other.send('resume', resume)).toMatchObject({ code: 'not-entered' })
  })
})

describe('the connections in one meeting', () => {
  test('are limited, and one that goes makes room', async () => {
    const server = await TestServer.start({ limits: { connectionsPerMeeting: 1 } })
    const token = () => server.token('alice', '*')
    const alice = await server.connectWith({ token: await token() })
    const bob = await server.connectWith({ token: await token() })
    expect(await alice.enter('standup')).toMatchObject({ ok: true })
    expect(await bob.enter('standup')).toMatchObject({ ok: false, code: 'rate-limited' })
    expect(await bob.enter('retro')).toMatchObject({ ok: true })
    alice.disconnect()
    const carol = await server.connectWith({ token: await token() })
    await eventually('room for another', async () => (await carol.enter('standup')).ok)
  })
})

describe('a connection whose token expires', () => {
  test('is cut then, and may come back with another token', async () => {
    const clock = new VirtualClock()
    const { observer, cut } = recordingObserver()
    const server = await TestServer.start({ clock, observer })
    const mint = (ttlSeconds: number) =>
      server.mint({ identity: 'alice', meeting: 'standup', ttlSeconds })
    const short = await server.connectWith({ token: await mint(60) })
    const long = await server.connectWith({ token: await mint(90 * 24 * 3600) })
    const reason = new Promise((resolve) => short.socket.once('disconnect', resolve))
    clock.advance(59_999)
    expect(await short.enter('standup')).toMatchObject({ ok: true })
    expect(cut).toEqual([])
    clock.advance(1)
    expect(await reason).toBe('io server disconnect')
    expect(cut).toEqual(['token-expired'])
    expect(await long.enter('standup')).toMatchObject({ ok: true })
    const again = await server.connectWith({ token: await mint(60) })
    expect(await again.enter('standup')).toMatchObject({ ok: true })
  })

  test('and which has gone before leaves no timer', async () => {
    const clock = new VirtualClock()
    const server = await TestServer.start({ clock })
    const before = clock.pendingTimers
    const client = await server.connect('alice', 'standup')
    expect(clock.pendingTimers).toBe(before + 1)
    client.disconnect()
    await eventually('the timer to go', () => clock.pendingTimers === before)
  })
})
