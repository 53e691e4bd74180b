import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { deliveryNamespace } from '@conclave/core/delivery'
import { type RelayClosed, relayClosedEvent } from '@conclave/core/mediaSignalling'
import type { Socket } from 'socket.io-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MediaClient, type RunningSfu, runSfu } from './fixtures/runningSfu.ts'
import { runUpstream } from './fixtures/upstreamKeyserver.ts'

// The relay needs no media.
const media = { workers: 0, addresses: [{ ip: '127.0.0.1' }] }

async function tokenOf(running: RunningSfu): Promise<string> {
  return await running.access.mint({ identity: 'alice', meeting: 'standup' })
}

async function relayed(
  running: RunningSfu,
  manager = running.manager(),
  listen: (socket: Socket) => void = () => {},
): Promise<Socket> {
  const socket = manager.socket(deliveryNamespace, { auth: { token: await tokenOf(running) } })
  listen(socket)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
    socket.connect()
  })
  return socket
}

const closedCode = (socket: Socket) =>
  new Promise<string>((resolve) => {
    socket.once(relayClosedEvent, ({ code }: RelayClosed) => resolve(code))
  })

describe('the relay of the delivery protocol', () => {
  test('requests, binary contents and acknowledgements arrive as they were sent', async () => {
    const { url } = await runUpstream((socket) => {
      socket.on('commit', (request, acknowledge) => acknowledge({ ok: true, echo: request }, 7))
    })
    const running = await runSfu({ media, keyserver: { url } })
    const socket = await relayed(running)
    const message = randomBytes(1 << 20)
    const [reply, second] = await new Promise<unknown[]>((resolve) => {
      socket.emit('commit', { groupId: message.subarray(0, 16), message }, (...args: unknown[]) =>
        resolve(args),
      )
    })
    expect(reply).toEqual({ ok: true, echo: { groupId: message.subarray(0, 16), message } })
    expect(second).toBe(7)
  })

  test('what the keyserver sends before the client is connected is not lost, nor its order', async () => {
    const { url } = await runUpstream((socket) => {
      for (let seq = 1; seq <= 20; seq++) socket.emit('entry', { seq })
    })
    const running = await runSfu({ media, keyserver: { url } })
    const seen: number[] = []
    await relayed(running, running.manager(), (socket) => {
      socket.on('entry', ({ seq }: { seq: number }) => seen.push(seq))
    })
    await expect.poll(() => seen.length).toBe(20)
    expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  })

  test('a question of the keyserver is answered by the client', async () => {
    const { url, io } = await runUpstream(() => {})
    const running = await runSfu({ media, keyserver: { url } })
    await relayed(running, running.manager(), (socket) => {
      socket.on('status', (question: string, acknowledge: (answer: string) => void) =>
        acknowledge(`${question}!`),
      )
    })
    const answers = await io.of(deliveryNamespace).timeout(5_000).emitWithAck('status', 'well')
    expect(answers).toEqual(['well!'])
  })

  test('media and delivery share one connection, and every client has its own upstream', async () => {
    const tokens: unknown[] = []
    const { url } = await runUpstream((socket) => tokens.push(socket.handshake.auth['token']))
    const running = await runSfu({ media, keyserver: { url } })
    for (let client = 0; client < 2; client++) {
      const manager = running.manager()
      await MediaClient.connect(manager, { token: await tokenOf(running) })
      const socket = await relayed(running, manager)
      expect(socket.io).toBe(manager)
    }
    expect(tokens).toHaveLength(2)
    expect(running.sfu.health().relays).toBe(2)
  })

  test("the keyserver's refusal of a connection reaches the client with its code", async () => {
    const { url } = await runUpstream(
      () => {},
      async () => ({ code: 'token-expired' }),
    )
    const running = await runSfu({ media, keyserver: { url } })
    await expect(relayed(running)).rejects.toMatchObject({ data: { code: 'token-expired' } })
    expect(running.sfu.health().relays).toBe(0)
  })

  test('a keyserver that cannot be reached is named as such', async () => {
    const running = await runSfu({ media, keyserver: { url: 'http://127.0.0.1:9' } })
    await expect(relayed(running)).rejects.toMatchObject({ data: { code: 'upstream-unavailable' } })
  })

  test('a keyserver that accepts a connection but says nothing is given up', async () => {
    const silent = createServer()
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => {
      silent.close()
    })
    const running = await runSfu({
      media,
      keyserver: { url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` },
      limits: { upstreamTimeoutMs: 200 },
    })
    await expect(relayed(running)).rejects.toMatchObject({ data: { code: 'upstream-unavailable' } })
  })

  test('a client without a valid token is refused before the keyserver hears of it', async () => {
    let connections = 0
    const { url } = await runUpstream(() => {
      connections += 1
    })
    const running = await runSfu({ media, keyserver: { url } })
    const socket = running.manager().socket(deliveryNamespace, { auth: { token: 'a.b.c' } })
    const refused = new Promise((resolve) => socket.once('connect_error', resolve))
    socket.connect()
    expect(await refused).toMatchObject({ data: { code: 'token-malformed' } })
    expect(connections).toBe(0)
  })

  test('when the keyserver goes away the client is told, and keeps its media namespace', async () => {
    const { url, io } = await runUpstream(() => {})
    const running = await runSfu({ media, keyserver: { url } })
    const manager = running.manager()
    const mediaClient = await MediaClient.connect(manager, { token: await tokenOf(running) })
    const socket = await relayed(running, manager)
    const code = closedCode(socket)
    io.of(deliveryNamespace).disconnectSockets(true)
    expect(await code).toBe('upstream-disconnected')
    await expect.poll(() => socket.connected).toBe(false)
    expect(mediaClient.socket.connected).toBe(true)
    expect(running.sfu.health().relays).toBe(0)
  })

  test('when the client goes away so does its upstream connection', async () => {
    const { url, io } = await runUpstream(() => {})
    const running = await runSfu({ media, keyserver: { url } })
    const socket = await relayed(running)
    expect(io.of(deliveryNamespace).sockets.size).toBe(1)
    socket.disconnect()
    await expect.poll(() => io.of(deliveryNamespace).sockets.size).toBe(0)
  })

  test('a client that leaves while the keyserver is still thinking leaves nothing behind', async () => {
    let asked = 0
    const { url } = await runUpstream(
      () => {},
      async () => {
        asked += 1
        await new Promise(() => {})
        return undefined
      },
    )
    const running = await runSfu({ media, keyserver: { url } })
    const manager = running.manager()
    manager.socket(deliveryNamespace, { auth: { token: await tokenOf(running) } }).connect()
    await expect.poll(() => asked).toBe(1)
    expect(running.sfu.health().relays).toBe(1)
    manager.engine.close()
    await expect.poll(() => running.sfu.health().relays).toBe(0)
  })

  test('a client that floods is disconnected with a code, the others are not', async () => {
    const { url } = await runUpstream((socket) => {
      socket.on('ping', (acknowledge) => acknowledge('pong'))
    })
    const running = await runSfu({ media, keyserver: { url }, limits: { messagesPerSecond: 5 } })
    const [flooding, calm] = [await relayed(running), await relayed(running)]
    const code = closedCode(flooding)
    for (let event = 0; event < 60; event++) flooding.emit('noise', event)
    expect(await code).toBe('relay-overloaded')
    expect(await calm.timeout(5_000).emitWithAck('ping')).toBe('pong')
  })

  test('a client with too many unanswered requests is disconnected with a code', async () => {
    const { url } = await runUpstream(() => {})
    const running = await runSfu({ media, keyserver: { url }, limits: { pendingRequests: 4 } })
    const socket = await relayed(running)
    const code = closedCode(socket)
    for (let request = 0; request < 5; request++) socket.emit('wait', request, () => {})
    expect(await code).toBe('relay-overloaded')
  })

  test('a packet beyond the bound ends the connection of its sender alone', async () => {
    const { url } = await runUpstream((socket) => {
      socket.on('ping', (acknowledge) => acknowledge('pong'))
    })
    const running = await runSfu({ media, keyserver: { url }, limits: { payloadBytes: 10_000 } })
    const [large, calm] = [await relayed(running), await relayed(running)]
    const gone = new Promise((resolve) => large.once('disconnect', resolve))
    large.emit('commit', 'x'.repeat(20_000))
    await gone
    expect(await calm.timeout(5_000).emitWithAck('ping')).toBe('pong')
  })

  test('an event called "error" is passed on like any other', async () => {
    const received: unknown[] = []
    const { url } = await runUpstream((socket) => {
      socket.on('error', (...args: unknown[]) => received.push(args))
      socket.on('ping', (acknowledge) => acknowledge('pong'))
    })
    const running = await runSfu({ media, keyserver: { url } })
    const socket = await relayed(running)
    socket.emit('error', 'boom')
    expect(await socket.timeout(5_000).emitWithAck('ping')).toBe('pong')
    expect(received).toEqual([['boom']])
  })

  test('closing the SFU tells relayed clients why', async () => {
    const { url } = await runUpstream(() => {})
    const running = await runSfu({ media, keyserver: { url } })
    const socket = await relayed(running)
    const code = closedCode(socket)
    await running.sfu.close()
    expect(await code).toBe('server-closing')
  })
})
