import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { deliveryNamespace } from '@conclave/core/delivery'
import { Server, type Socket } from 'socket.io'
import { io } from 'socket.io-client'
import { onTestFinished } from 'vitest'

export type Fields = Readonly<Record<string, unknown>>

/** One client's connection through the relay. */
export interface Line {
  readonly client: { emit(name: string, notice: unknown): unknown }
  /** Everybody else's connections. */
  readonly others: () => readonly Line[]
  /** What a fault remembers of this connection. */
  readonly memory: Map<string, unknown>
}

/** What a faulty keyserver does otherwise than a good one. */
export interface Fault {
  /** Answers a request in the keyserver's place; `forward` asks the keyserver. */
  readonly answer?: (
    asked: { readonly name: string; readonly request: Fields; readonly line: Line },
    forward: (request?: Fields) => Promise<Fields>,
  ) => Promise<Fields>
  /** What the client gets in the place of a notice: this one, others or none. */
  readonly notice?: (noticed: {
    readonly name: string
    readonly notice: Fields
    readonly line: Line
  }) => readonly { readonly name: string; readonly notice: Fields }[]
  /** Whether clients that go away stay connected for the keyserver. */
  readonly keepsTheDead?: boolean
  /** The token that the keyserver gets in the place of the client's. */
  readonly token?: (presented: unknown) => unknown
}

/**
 * A man in the middle that makes a good keyserver faulty in one way. Without a fault it passes on
 * what it gets, so whatever a check sees is the keyserver's.
 */
export async function relay(upstream: string, fault: Fault = {}): Promise<string> {
  const httpServer = createServer()
  const server = new Server(httpServer, { transports: ['websocket'], maxHttpBufferSize: 4 << 20 })
  const lines = new Set<Line>()
  const upstreams = new Set<{ disconnect(): unknown }>()
  const namespace = server.of(deliveryNamespace)
  namespace.use((socket, next) => {
    const { token } = socket.handshake.auth
    const auth = fault.token === undefined ? socket.handshake.auth : { token: fault.token(token) }
    const keyserver = io(upstream + deliveryNamespace, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      auth,
    })
    upstreams.add(keyserver)
    socket.data.keyserver = keyserver
    keyserver.once('connect', () => next())
    keyserver.once('connect_error', next)
  })
  namespace.on('connection', (socket) => lines.add(join(socket, lines, fault)))
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  onTestFinished(async () => {
    for (const each of upstreams) each.disconnect()
    await server.close()
  })
  return `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`
}

function join(socket: Socket, lines: Set<Line>, fault: Fault): Line {
  const keyserver = socket.data.keyserver as ReturnType<typeof io>
  const ask = (name: string, ...args: unknown[]): Promise<Fields> =>
    new Promise((resolve) => keyserver.emit(name, ...args, resolve))
  const others = () => [...lines].filter((other) => other !== line)
  const line: Line = { client: socket, others, memory: new Map() }
  socket.onAny((name: string, ...args: unknown[]) => {
    const acknowledge = args.at(-1)
    if (typeof acknowledge !== 'function') {
      keyserver.emit(name, ...args)
      return
    }
    const [request] = args
    const forward = (instead?: Fields) =>
      instead === undefined ? ask(name, ...args.slice(0, -1)) : ask(name, instead)
    const answered =
      fault.answer !== undefined && typeof request === 'object' && request !== null
        ? fault.answer({ name, request: request as Fields, line }, forward)
        : forward()
    answered.then(
      (reply) => acknowledge(reply),
      () => {},
    )
  })
  keyserver.onAny((name: string, ...args: unknown[]) => {
    const [notice] = args
    if (fault.notice === undefined) socket.emit(name, ...args)
    else {
      const told = fault.notice({ name, notice: notice as Fields, line })
      for (const each of told) socket.emit(each.name, each.notice)
    }
  })
  socket.on('disconnect', () => {
    lines.delete(line)
    if (fault.keepsTheDead !== true) keyserver.disconnect()
  })
  keyserver.on('disconnect', () => socket.disconnect(true))
  return line
}
