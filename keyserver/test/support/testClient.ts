import { plainBytes } from '@conclave/core/codec'
import {
  type ClientToServerEvents,
  deliveryNamespace,
  protocolMinor,
  protocolVersion,
  type ReplyTo,
  type RequestName,
  type RequestOf,
  type ServerNotices,
  type ServerToClientEvents,
  unpackEntries,
  unpackJoiners,
  unpackKeyPackages,
  unpackMail,
} from '@conclave/core/delivery'
import { io, type Socket } from 'socket.io-client'
import { defaultPatienceMs, eventually } from './eventually.ts'

type NoticeName = keyof ServerNotices
type Recorded = { [N in NoticeName]: ServerNotices[N][] }

/** A socket of the delivery protocol that remembers every notice. */
export class TestClient {
  readonly notices: Recorded = {
    entry: [],
    waiting: [],
    present: [],
    welcome: [],
    statusWanted: [],
    message: [],
    stockLow: [],
    mail: [],
    offered: [],
    continued: [],
    closed: [],
  }
  /** How long replies and notices may take. */
  readonly patienceMs: number
  readonly socket: Socket<ServerToClientEvents, ClientToServerEvents>

  constructor(
    url: string,
    auth: Record<string, unknown>,
    options: { readonly path?: string; readonly patienceMs?: number } = {},
  ) {
    this.patienceMs = options.patienceMs ?? defaultPatienceMs
    this.socket = io(url + deliveryNamespace, {
      path: options.path ?? '/socket.io',
      transports: ['websocket'],
      auth,
      reconnection: false,
      forceNew: true,
    })
    this.socket.on('entry', (notice) => this.notices.entry.push(bytesOf(notice)))
    this.socket.on('waiting', (notice) => {
      const { groupId, joiners } = bytesOf(notice)
      this.notices.waiting.push({ groupId, joiners: unpackJoiners(joiners) })
    })
    this.socket.on('present', (notice) => this.notices.present.push(bytesOf(notice)))
    this.socket.on('welcome', (notice) => this.notices.welcome.push(bytesOf(notice)))
    this.socket.on('offered', (notice) => this.notices.offered.push(bytesOf(notice)))
    this.socket.on('continued', (notice) => this.notices.continued.push(bytesOf(notice)))
    this.socket.on('statusWanted', (notice) => this.notices.statusWanted.push(bytesOf(notice)))
    this.socket.on('message', (notice) => this.notices.message.push(bytesOf(notice)))
    this.socket.on('stockLow', (notice) => this.notices.stockLow.push(bytesOf(notice)))
    this.socket.on('mail', (notice) => this.notices.mail.push(bytesOf(notice)))
    this.socket.on('closed', (notice) => this.notices.closed.push(bytesOf(notice)))
  }

  connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once('connect', resolve)
      this.socket.once('connect_error', reject)
    })
  }

  disconnect(): void {
    this.socket.disconnect()
  }

  async request<N extends RequestName>(name: N, request: RequestOf<N>): Promise<ReplyTo<N>> {
    return unpacked(bytesOf((await this.send(name, request)) as object)) as ReplyTo<N>
  }

  /** Whatever a client can send, and what came back. */
  send(name: string, ...payload: unknown[]): Promise<unknown> {
    const untyped = this.socket as unknown as Socket
    return untyped.timeout(this.patienceMs).emitWithAck(name, ...payload)
  }

  /** The reply, for what has to succeed. */
  async ask<N extends RequestName>(name: N, request: RequestOf<N>) {
    const reply = await this.request(name, request)
    if (!reply.ok) throw new Error(`${name}: ${reply.code} ${reply.detail ?? ''} ${reply.message}`)
    return reply
  }

  enter(meetingId: string): Promise<ReplyTo<'enter'>> {
    return this.request('enter', { protocol: protocolVersion, minor: protocolMinor, meetingId })
  }

  /** The first notice of this kind that fits, as soon as there is one. */
  async notice<N extends NoticeName>(
    name: N,
    fits: (notice: ServerNotices[N]) => boolean = () => true,
  ): Promise<ServerNotices[N]> {
    const { notices, patienceMs } = this
    return await eventually(`a fitting "${name}"`, () => notices[name].find(fits), patienceMs)
  }
}

/** Lists travel packed. */
function unpacked(reply: object): object {
  const { entries, missed, waiting, keyPackages, mail }: Record<string, unknown> = { ...reply }
  return {
    ...reply,
    ...(entries instanceof Uint8Array && { entries: unpackEntries(plainBytes(entries)) }),
    ...(missed instanceof Uint8Array && { missed: unpackEntries(plainBytes(missed)) }),
    ...(waiting instanceof Uint8Array && { waiting: unpackJoiners(plainBytes(waiting)) }),
    ...(keyPackages instanceof Uint8Array && {
      keyPackages: unpackKeyPackages(plainBytes(keyPackages)),
    }),
    ...(mail instanceof Uint8Array && { mail: unpackMail(plainBytes(mail)) }),
  }
}

/** socket.io hands out Buffers in Node. */
function bytesOf<T>(value: T): T {
  if (value instanceof Uint8Array) return plainBytes(value) as T
  if (Array.isArray(value)) return value.map(bytesOf) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, bytesOf(field)]),
  ) as T
}
