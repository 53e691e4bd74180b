import type { ReplyTo, RequestName, RequestOf, ServerNotices } from '@conclave/core/delivery'
import { SessionError } from './sessionError.ts'
import type { DeliveryTransport } from './transport.ts'

export interface LinkEvents {
  /** A new connection stands, on which nothing has been entered yet. */
  connected(): void
  disconnected(): void
  /** The keyserver will not have us. */
  rejected(refusal: SessionError): void
  /** The same, from a transport that was to take over; the one before stays. */
  successorRejected(refusal: SessionError): void
  notice<N extends keyof ServerNotices>(name: N, notice: ServerNotices[N]): void
}

/**
 * The session's way to the keyserver, whichever transport it goes over. A request belongs to the
 * connection it was made on: it fails as soon as that is gone, whatever the transport does, so that
 * nothing waits for an answer that cannot come.
 */
export class DeliveryLink {
  readonly #events: LinkEvents
  readonly #outstanding = new Set<(error: SessionError) => void>()
  #transport: DeliveryTransport
  #successor: DeliveryTransport | undefined
  /** Has been taken over from, and listens on until the present one has entered. */
  #predecessor: DeliveryTransport | undefined
  #connection = 0
  #entered = false
  #closed = false

  constructor(transport: DeliveryTransport, events: LinkEvents) {
    this.#transport = transport
    this.#events = events
  }

  /** Whether the present connection has entered the meeting. */
  get entered(): boolean {
    return this.#entered
  }

  start(): void {
    this.#open(this.#transport)
  }

  /**
   * Moves to another transport once that is connected; until then the present one goes on. Notices
   * still come over it until the other has entered, so that none is missed between the two.
   */
  switchTo(transport: DeliveryTransport): void {
    if (this.#closed) return
    this.#successor?.close()
    this.#successor = transport
    this.#open(transport)
  }

  /**
   * Anything but `enter` needs a connection that has entered.
   * @throws SessionError `keyserver-unreachable`, `session-ended` once closed, or what the
   *   transport throws
   */
  async request<N extends RequestName>(name: N, request: RequestOf<N>): Promise<ReplyTo<N>> {
    if (this.#closed) throw over()
    if (name !== 'enter' && !this.#entered) throw lost()
    const connection = this.#connection
    const reply = await this.#answer(this.#transport, name, request)
    if (name === 'enter' && reply.ok) {
      if (connection !== this.#connection) throw lost()
      this.#entered = true
      this.#dismiss()
    }
    if (!reply.ok && reply.code === 'not-entered') this.exited()
    return reply
  }

  /** The keyserver has let go of the meeting, which can be entered again. */
  exited(): void {
    this.#entered = false
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#entered = false
    this.#abort(over())
    this.#successor?.close()
    this.#dismiss()
    this.#transport.close()
  }

  #open(transport: DeliveryTransport): void {
    const current = () => transport === this.#transport && !this.#closed
    transport.start({
      connected: () => {
        if (transport === this.#successor) this.#takeOver(transport)
        if (!current()) return
        this.#connection += 1
        this.#hungUp()
        this.#events.connected()
      },
      disconnected: () => {
        if (transport === this.#predecessor) this.#dismiss()
        if (!current()) return
        this.#hungUp()
        this.#events.disconnected()
      },
      rejected: (code, message) => {
        const refusal = new SessionError('keyserver-refused', message, { detail: code })
        if (transport === this.#successor) {
          this.#successor = undefined
          transport.close()
          this.#events.successorRejected(refusal)
        } else if (current()) this.#events.rejected(refusal)
      },
      notice: (name, notice) => {
        if (current() || transport === this.#predecessor) this.#events.notice(name, notice)
      },
    })
  }

  #takeOver(transport: DeliveryTransport): void {
    this.#dismiss()
    this.#predecessor = this.#transport
    this.#transport = transport
    this.#successor = undefined
  }

  #dismiss(): void {
    this.#predecessor?.close()
    this.#predecessor = undefined
  }

  #hungUp(): void {
    this.#entered = false
    this.#abort(lost())
  }

  async #answer<N extends RequestName>(
    transport: DeliveryTransport,
    name: N,
    request: RequestOf<N>,
  ): Promise<ReplyTo<N>> {
    const { promise, resolve, reject } = Promise.withResolvers<ReplyTo<N>>()
    this.#outstanding.add(reject)
    try {
      transport.request(name, request).then(resolve, reject)
      return await promise
    } finally {
      this.#outstanding.delete(reject)
    }
  }

  #abort(error: SessionError): void {
    for (const reject of this.#outstanding) reject(error)
  }
}

function lost(): SessionError {
  return new SessionError('keyserver-unreachable', 'the connection to the keyserver is gone')
}

function over(): SessionError {
  return new SessionError('session-ended', 'the session is over')
}
