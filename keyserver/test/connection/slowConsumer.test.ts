import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket as TcpSocket } from 'node:net'
import { Server, type Socket as ServerSocket } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { cutSlowConsumer } from '../../src/connection/slowConsumer.ts'
import { memoryDirectory } from '../../src/directory/memoryDirectory.ts'
import { eventually } from '../support/eventually.ts'
import { TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'
import { recordingObserver } from './recordingObserver.ts'

const mebibyte = 1 << 20

/** Stops reading from the network, as a suspended client does. */
function stopReading(socket: Socket): void {
  const { transport } = socket.io.engine as unknown as {
    readonly transport: { readonly ws: { readonly _socket: TcpSocket } }
  }
  const tcp = transport.ws._socket
  tcp.pause()
  onTestFinished(() => {
    tcp.destroy()
  })
}

/** A socket.io server which tells all its clients the same, and cuts the slow if told to. */
async function startBroadcast(limit: number | undefined) {
  const httpServer = createServer()
  const server = new Server(httpServer, { transports: ['websocket'] })
  const slow: string[] = []
  server.on('connection', (socket) => {
    if (limit !== undefined) cutSlowConsumer(socket.conn, limit, () => slow.push(socket.id))
  })
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  onTestFinished(() => server.close())
  const { port } = httpServer.address() as AddressInfo
  const connect = async () => {
    const socket = io(`http://127.0.0.1:${port}`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    })
    onTestFinished(() => {
      socket.disconnect()
    })
    await new Promise<void>((resolve) => socket.once('connect', resolve))
    const { id = '' } = socket
    return { socket, id, served: server.sockets.sockets.get(id) as ServerSocket }
  }
  return { server, slow, connect }
}

/** What engine.io keeps to itself: packets that it has not begun to write. */
function queued({ conn }: ServerSocket): readonly { readonly data?: Buffer | string }[] {
  const { writeBuffer } = conn as unknown as {
    readonly writeBuffer: readonly { readonly data?: Buffer | string }[]
  }
  return writeBuffer
}

/** Bytes that wait to be written to a client. */
function unsent(socket: ServerSocket): number {
  const { writableLength } = socket.conn.request.socket
  return queued(socket).reduce((sum, { data }) => sum + (data?.length ?? 0), writableLength)
}

/** Sends 64 MiB to all, at the pace of the one that reads; the most that waited for the other. */
async function broadcastTo(limit: number | undefined) {
  const { server, slow, connect } = await startBroadcast(limit)
  const [reader, sleeper] = [await connect(), await connect()]
  const read: number[] = []
  reader.socket.on('block', (number: number) => read.push(number))
  stopReading(sleeper.socket)
  let most = 0
  for (let number = 0; number < 64; number++) {
    server.emit('block', number, Buffer.alloc(mebibyte, number))
    most = Math.max(most, unsent(sleeper.served))
    await eventually('the block', () => read.length > number)
  }
  expect(read).toEqual(Array.from({ length: 64 }, (_, number) => number))
  expect(reader.socket.connected).toBe(true)
  return { slow, sleeper, most }
}

describe('a client that stops reading', () => {
  test('is cut before more waits for it than its bound and one packet', async () => {
    const { slow, sleeper, most } = await broadcastTo(8 * mebibyte)
    expect(slow).toEqual([sleeper.id])
    expect(sleeper.served.connected).toBe(false)
    expect(queued(sleeper.served)).toEqual([])
    expect(most).toBeGreaterThan(7 * mebibyte)
    expect(most).toBeLessThan(9.1 * mebibyte)
  })

  test('would have more and more waiting for it if it were not cut', async () => {
    const { most } = await broadcastTo(undefined)
    expect(most).toBeGreaterThan(32 * mebibyte)
  })

  test('is cut by the keyserver while its meeting goes on', async () => {
    const { observer, cut } = recordingObserver()
    const limits = { unsentBytes: mebibyte, requestBurst: 10_000, identityRequestBurst: 10_000 }
    const bytes = new Uint8Array(16)
    const welcome = new Uint8Array(mebibyte)
    const mail = [{ meetingId: 'standup', groupId: bytes, ref: bytes, welcome, seq: 1 }]
    const directoryStore = { ...memoryDirectory(), mailbox: () => Promise.resolve(mail) }
    const server = await TestServer.start({ limits, observer, directoryStore })
    const alice = await TestMember.found(server, 'alice')
    const bob = await TestMember.arrive(server, 'bob')
    const bundle = await bob.wait()
    await alice.admit(1)
    await bob.join(bundle)
    await bob.take()

    const { socket } = bob.client
    let answers = 0
    socket.once('disconnect', () => {})
    stopReading(socket as unknown as Socket)
    const asking = eventually('the cut', async () => {
      if (cut.length > 0) return true
      socket.emit('mailbox', { deviceKey: new Uint8Array(32) }, () => {
        answers += 1
      })
      return false
    })
    for (let epoch = 0; epoch < 5; epoch++) await alice.commit()
    await asking
    expect(cut).toEqual(['slow-consumer'])
    expect(answers).toBe(0)
    await eventually('one connection', () => server.keyserver.health().connections === 1)
    const seq = await alice.commit()

    // The client comes back and takes up the log where it stood.
    await bob.reconnect()
    expect(bob.seen).toBe(seq)
    expect(bob.epoch).toBe(alice.epoch)
  })
})
