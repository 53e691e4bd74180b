import type {
  Refusal,
  RefusalCode,
  ReplyTo,
  RequestName,
  RequestOf,
  ServerNotices,
} from '@conclave/core/delivery'
import { type DeliveryTransport, SessionError, type TransportEvents } from '../../../src/index.ts'

type Tampering = {
  [N in RequestName]?: (
    request: RequestOf<N>,
    honest: () => Promise<ReplyTo<N>>,
  ) => Promise<ReplyTo<N>>
}
export type AnyNotice = {
  [N in keyof ServerNotices]: { name: N; notice: ServerNotices[N] }
}[keyof ServerNotices]

/** Where a port leads to. */
interface Delivery {
  handle<N extends RequestName>(port: Port, name: N, request: RequestOf<N>): Promise<ReplyTo<N>>
  forget(port: Port): Promise<void>
}

/** One client's way to the keyserver, which a test can break or make lie. */
export class Port implements DeliveryTransport {
  /** Answers instead of the keyserver, which `honest` asks. */
  readonly tamper: Tampering = {}
  /** What becomes of a notice. */
  notices: (notice: AnyNotice) => readonly AnyNotice[] = (notice) => [notice]
  readonly requests: { name: RequestName; request: RequestOf<RequestName> }[] = []
  entered = false
  closed = false
  /** Whom the access token names. */
  identity = ''
  #events: TransportEvents | undefined
  #connected = false
  readonly #delivery: Delivery

  constructor(delivery: Delivery) {
    this.#delivery = delivery
  }

  get connected(): boolean {
    return this.#connected
  }

  count(name: RequestName): number {
    return this.requests.filter((request) => request.name === name).length
  }

  start(events: TransportEvents): void {
    this.#events = events
    this.connect()
  }

  async request<N extends RequestName>(name: N, request: RequestOf<N>): Promise<ReplyTo<N>> {
    if (!this.#connected) throw new SessionError('keyserver-unreachable', 'not connected')
    this.requests.push({ name, request })
    const honest = (): Promise<ReplyTo<N>> =>
      this.entered || name === 'enter'
        ? this.#delivery.handle(this, name, request)
        : Promise.resolve(refuse('not-entered'))
    const tamper: Tampering[N] = this.tamper[name]
    return await (tamper === undefined ? honest() : tamper(request, honest))
  }

  close(): void {
    this.closed = true
    this.drop()
  }

  connect(): void {
    this.#connected = true
    this.#events?.connected()
  }

  drop(): void {
    if (!this.#connected) return
    this.#connected = false
    this.entered = false
    void this.#delivery.forget(this)
    this.#events?.disconnected()
  }

  reject(code: string): void {
    this.#connected = false
    this.#events?.rejected(code, `rejected: ${code}`)
  }

  deliver(notice: AnyNotice): void {
    for (const passed of this.notices(notice)) this.inject(passed)
  }

  /** Gives the client a notice that nobody has sent. */
  inject({ name, notice }: AnyNotice): void {
    if (this.#connected) this.#events?.notice(name, notice)
  }
}

export function refuse(code: RefusalCode): Refusal {
  return { ok: false, code, message: `refused: ${code}` }
}
