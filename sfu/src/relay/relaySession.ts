import type { Clock } from '@conclave/core'
import {
  type RelayClosed,
  type RelayClosedCode,
  relayClosedEvent,
} from '@conclave/core/mediaSignalling'
import type { Socket } from 'socket.io-client'
import type { ClientSocket, OpaqueEvents } from '../connections.ts'
import type { SfuLimits } from '../limits.ts'
import { RateLimit } from '../rateLimit.ts'

export type UpstreamSocket = Socket<OpaqueEvents, OpaqueEvents>
type Acknowledge = (...reply: unknown[]) => void

const messages: Record<RelayClosedCode, string> = {
  'upstream-unavailable': 'the keyserver cannot be reached',
  'upstream-disconnected': 'the keyserver has disconnected',
  'relay-overloaded': 'the client sends more, or reads less, than the relay allows',
  'server-closing': 'the SFU is closing',
}

/**
 * Passes events and acknowledgements between one client and its connection to the keyserver, in
 * order and unread. Made before `upstream` connects; what the keyserver sends until the client is
 * attached waits for it.
 */
export class RelaySession {
  readonly #upstream: UpstreamSocket
  readonly #limits: SfuLimits
  readonly #rate: RateLimit
  readonly #onClosed: (code: RelayClosedCode | 'client-left') => void
  #client: ClientSocket | undefined
  readonly #waiting: unknown[][] = []
  #inFlight = 0
  /** Events sent since the client's connection was last drained. */
  #unread = 0
  #closed: RelayClosedCode | 'client-left' | undefined
  readonly #onDrain = () => {
    this.#unread = 0
  }

  constructor(
    upstream: UpstreamSocket,
    limits: SfuLimits,
    clock: Clock,
    onClosed: (code: RelayClosedCode | 'client-left') => void,
  ) {
    this.#upstream = upstream
    this.#limits = limits
    this.#rate = new RateLimit(limits.messagesPerSecond, clock)
    this.#onClosed = onClosed
    upstream.onAny((...event: unknown[]) => this.#toClient(event))
    upstream.on('disconnect', () => this.close('upstream-disconnected'))
  }

  attach(client: ClientSocket): void {
    if (this.#closed !== undefined) {
      this.#tellWhy(client, this.#closed)
      return
    }
    this.#client = client
    client.on('disconnect', () => this.close('client-left'))
    client.conn.on('drain', this.#onDrain)
    client.onAny((...event: unknown[]) => this.#toUpstream(event))
    for (const event of this.#waiting.splice(0)) this.#toClient(event)
  }

  close(code: RelayClosedCode | 'client-left'): void {
    if (this.#closed !== undefined) return
    this.#closed = code
    this.#waiting.length = 0
    this.#upstream.disconnect()
    this.#client?.conn.off('drain', this.#onDrain)
    if (this.#client !== undefined) this.#tellWhy(this.#client, code)
    this.#onClosed(code)
  }

  #tellWhy(client: ClientSocket, code: RelayClosedCode | 'client-left'): void {
    if (code !== 'client-left') {
      const why: RelayClosed = { code, message: messages[code] }
      client.emit(relayClosedEvent, why)
    }
    client.disconnect()
  }

  #toUpstream(event: unknown[]): void {
    if (this.#closed !== undefined) return
    const { name, args, acknowledge } = takeApart(event)
    if (name === undefined || !this.#rate.take() || this.#isFull(acknowledge)) {
      this.close('relay-overloaded')
      return
    }
    if (acknowledge === undefined) {
      this.#upstream.emit(name, ...args)
      return
    }
    this.#inFlight += 1
    this.#upstream
      .timeout(this.#limits.upstreamTimeoutMs)
      .emit(name, ...args, this.#answer(acknowledge))
  }

  #toClient(event: unknown[]): void {
    if (this.#closed !== undefined) return
    const client = this.#client
    if (client === undefined) {
      this.#waiting.push(event)
      if (this.#waiting.length > this.#limits.relayBacklog) this.close('relay-overloaded')
      return
    }
    const { name, args, acknowledge } = takeApart(event)
    this.#unread += 1
    if (
      name === undefined ||
      this.#unread > this.#limits.relayBacklog ||
      this.#isFull(acknowledge)
    ) {
      this.close('relay-overloaded')
      return
    }
    if (acknowledge === undefined) {
      client.emit(name, ...args)
      return
    }
    this.#inFlight += 1
    client.timeout(this.#limits.upstreamTimeoutMs).emit(name, ...args, this.#answer(acknowledge))
  }

  #isFull(acknowledge: Acknowledge | undefined): boolean {
    return acknowledge !== undefined && this.#inFlight >= this.#limits.pendingRequests
  }

  /** An acknowledgement that never comes is not made up: the asking side has its own patience. */
  #answer(acknowledge: Acknowledge): (error: unknown, ...reply: unknown[]) => void {
    return (error, ...reply) => {
      this.#inFlight -= 1
      if (error === null) acknowledge(...reply)
    }
  }
}

function takeApart(event: readonly unknown[]): {
  readonly name: string | undefined
  readonly args: unknown[]
  readonly acknowledge: Acknowledge | undefined
} {
  const [name, ...args] = event
  const last = args.at(-1)
  const acknowledge =
    typeof last === 'function' ? (...reply: unknown[]) => void last(...reply) : undefined
  if (acknowledge !== undefined) args.pop()
  return { name: typeof name === 'string' ? name : undefined, args, acknowledge }
}
