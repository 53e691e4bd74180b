import { type DeliveryTransport, SessionError, type TransportEvents } from '@conclave/client'
import type { ReplyTo, RequestName, RequestOf, ServerNotices } from '@conclave/core/delivery'
import {
  checked,
  noticeSchemas,
  replySchemas,
} from '../../../client-sdk/src/edge/serverMessages.ts'
import type { Chance } from '../chance.ts'
import type { Cluster } from '../keyserver/cluster.ts'
import type { Network } from '../network/network.ts'
import type { Wire } from '../network/wire.ts'
import type { DeviceClock } from './deviceClock.ts'

/** As edge/socketTransport.ts and socket.io have them, in milliseconds. */
const requestTimeoutMs = 15_000
const reconnectMs = { first: 1_000, most: 5_000 }
/** How long a client may say nothing before its connection is given up, in milliseconds. */
const silenceMs = 20_000

export interface TransportOptions {
  /** Unique among all transports. */
  readonly name: string
  readonly identity: string
  readonly clock: DeviceClock
  readonly chance: Chance
  readonly network: Network
  readonly cluster: Pick<Cluster, 'reachable'>
  /** Called before anything reaches the session. */
  readonly arrived: () => void
  readonly met: (kind: string, fault: string) => void
  readonly trace: (line: string) => void
}

interface Line {
  readonly wire: Wire
  readonly fail: Set<(error: SessionError) => void>
  isConnected: boolean
  send(name: RequestName, request: unknown, answer: (reply: unknown) => void): void
}

/** A client's way to whichever instance it reaches, with edge/socketTransport.ts's behaviour. */
export class SimTransport implements DeliveryTransport {
  /** Requests, from the next on, whose answers are lost. */
  answersToLose = 0
  readonly #options: TransportOptions
  #events: TransportEvents | undefined
  #line: Line | undefined
  #attempts = 0
  #connections = 0
  #closed = false

  constructor(options: TransportOptions) {
    this.#options = options
  }

  get isConnected(): boolean {
    return this.#line?.isConnected === true
  }

  get isClosed(): boolean {
    return this.#closed
  }

  start(events: TransportEvents): void {
    this.#events = events
    this.#connect()
  }

  request<N extends RequestName>(name: N, request: RequestOf<N>): Promise<ReplyTo<N>> {
    const line = this.#line
    const { clock, trace } = this.#options
    return new Promise((resolve, reject) => {
      if (line === undefined || !line.isConnected) return reject(unreachable())
      const settled = () => {
        cancel()
        line.fail.delete(failed)
      }
      const failed = (error: SessionError) => {
        settled()
        reject(error)
      }
      const cancel = clock.setTimer(requestTimeoutMs, () => {
        trace(`${name} got no answer`)
        failed(unreachable())
        line.wire.close('client')
        this.#lost(line)
      })
      line.fail.add(failed)
      line.send(name, request, (answer) => {
        const reply = checked(replySchemas[name], answer)
        settled()
        if (reply === undefined) {
          reject(new SessionError('keyserver-protocol-violated', `unexpected answer to ${name}`))
        } else resolve(reply as ReplyTo<N>)
      })
    })
  }

  close(): void {
    this.#closed = true
    this.#line?.wire.close('client')
    this.#line = undefined
  }

  /** The device sleeps, and answers nothing: a connection over which nothing comes is given up. */
  slept(ms: number): void {
    if (ms >= silenceMs) this.#line?.wire.cut({ client: ms, server: silenceMs })
  }

  /** The process is gone: its connection is broken, and nothing reaches it. */
  die(): void {
    this.#closed = true
    this.#line?.wire.cut({ client: 0, server: silenceMs })
    this.#line = undefined
  }

  #connect(): void {
    if (this.#closed) return
    const { clock, chance, network, cluster, name } = this.#options
    this.#attempts += 1
    const instance = cluster.reachable(name, chance)
    if (instance === undefined) {
      this.#connectLater()
      return
    }
    const wire = network.lay(name, instance.name)
    const id = `${name} ${this.#connections++}`
    const line: Line = {
      wire,
      fail: new Set(),
      isConnected: false,
      send: (request, payload, answer) => this.#send(line, instance, id, request, payload, answer),
    }
    this.#line = line
    wire.whenGone('client', () => clock.whenAwake(() => this.#lost(line)))
    // A connection that is not up in time is given up.
    clock.setTimer(requestTimeoutMs, () => {
      if (line.isConnected || this.#line !== line) return
      wire.close('client')
      this.#lost(line)
    })
    wire.send('server', 'connect', () => {
      if (!instance.isAlive) return wire.cut({ client: 50, server: 0 })
      instance.accept(id, this.#options.identity, wire, (kind, notice) =>
        this.#deliver(wire, kind, () => this.#noticed(line, kind, notice)),
      )
      this.#deliver(wire, 'connected', () => {
        if (this.#line !== line || this.#closed) return
        line.isConnected = true
        this.#attempts = 0
        this.#options.trace(`connected to ${instance.name}`)
        this.#options.arrived()
        this.#events?.connected()
      })
    })
  }

  #send(
    line: Line,
    instance: NonNullable<ReturnType<Cluster['reachable']>>,
    id: string,
    name: RequestName,
    payload: unknown,
    answer: (reply: unknown) => void,
  ): void {
    const { chance, network, met, trace, arrived } = this.#options
    const { wire } = line
    const isLost = this.answersToLose > 0 || chance.happens(network.weather.answerLost)
    if (this.answersToLose > 0) this.answersToLose -= 1
    trace(`→ ${name}`)
    wire.send('server', name, () =>
      instance.request(id, name, payload, (reply) => {
        if (isLost) return met(name, 'answer lost')
        met(`${name} ${reply.ok ? 'granted' : reply.code}`, 'none')
        this.#deliver(wire, `answer to ${name}`, () => {
          if (this.#line !== line || this.#closed) return
          trace(`← ${name} ${reply.ok ? 'ok' : `${reply.code} ${reply.detail ?? ''}`}`)
          arrived()
          answer(reply)
        })
      }),
    )
    // What a client sends again; each connection is entered once.
    if (name === 'enter' || !chance.happens(network.weather.twice)) return
    met(name, 'twice')
    wire.send('server', name, () => instance.request(id, name, payload, () => {}))
  }

  /** To the client, once it can take it. */
  #deliver(wire: Wire, kind: string, take: () => void): void {
    wire.send('client', kind, () => this.#options.clock.whenAwake(take))
  }

  #noticed(line: Line, name: keyof ServerNotices, notice: unknown): void {
    if (this.#line !== line || this.#closed) return
    const known = checked(noticeSchemas[name], notice)
    if (known === undefined) return
    this.#options.trace(`← ${name}${seqOf(known)}`)
    this.#options.arrived()
    this.#events?.notice(name, known as ServerNotices[typeof name])
  }

  #lost(line: Line): void {
    if (this.#line !== line || this.#closed) return
    this.#line = undefined
    const wasConnected = line.isConnected
    line.isConnected = false
    this.#options.trace('disconnected')
    this.#options.arrived()
    for (const fail of line.fail) fail(unreachable())
    if (wasConnected) this.#events?.disconnected()
    this.#connectLater()
  }

  #connectLater(): void {
    const { clock, chance } = this.#options
    const pause = Math.min(reconnectMs.most, reconnectMs.first * 2 ** Math.min(this.#attempts, 8))
    clock.setTimer(pause * chance.between(0.5, 1.5), () => this.#connect())
  }
}

function seqOf(notice: unknown): string {
  if (typeof notice !== 'object' || notice === null || !('entry' in notice)) return ''
  return ` ${(notice.entry as { readonly seq: number }).seq}`
}

function unreachable(): SessionError {
  return new SessionError('keyserver-unreachable', 'the keyserver did not answer')
}
