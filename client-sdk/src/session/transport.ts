import type { ReplyTo, RequestName, RequestOf, ServerNotices } from '@conclave/core/delivery'

export interface TransportEvents {
  /** A connection stands; nothing of an earlier one is known to the other side. */
  connected(): void
  /** The connection is gone and will be tried again. */
  disconnected(): void
  /** The other side will not have us; no further attempt is made. */
  rejected(code: string, message: string): void
  notice<N extends keyof ServerNotices>(name: N, notice: ServerNotices[N]): void
}

/** A way to the keyserver, direct or through a relay that does not read what it carries. */
export interface DeliveryTransport {
  /** Starts connecting, and reconnecting whenever the connection is lost. */
  start(events: TransportEvents): void
  /**
   * A request whose answer stays out ends its connection, so that a new one follows.
   *
   * @throws SessionError `keyserver-unreachable` where the answer stays out; whether the request
   *   had an effect is then unknown
   */
  request<N extends RequestName>(name: N, request: RequestOf<N>): Promise<ReplyTo<N>>
  /** Ends it for good; may be called before `start` and twice. */
  close(): void
}
