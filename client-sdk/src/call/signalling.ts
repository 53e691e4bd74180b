import {
  type MediaRequest,
  type MediaRequestName,
  type MediaResult,
  mediaNamespace,
} from '@conclave/core/mediaSignalling'
import type { Socket } from 'socket.io-client'
import type { ServerConnection } from '../edge/serverConnection.ts'
import { CallError } from './callError.ts'
import { isRecord } from './claims.ts'

const ANSWER_TIMEOUT_MS = 15_000

/** Requests to the SFU and its events. What the SFU says is a claim, checked by whoever uses it. */
export class Signalling {
  readonly #socket: Socket
  #closed = false

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  /** @throws CallError `sfu-refused` or `sfu-unreachable` */
  static async connect(connection: ServerConnection, token: string): Promise<Signalling> {
    const socket = connection.namespace(mediaNamespace, { token })
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        settle(new CallError('sfu-unreachable', 'the SFU did not answer in time'))
      }, ANSWER_TIMEOUT_MS)
      const onConnect = () => settle(undefined)
      const onRefused = (error: Error & { data?: unknown }) => {
        if (error.data === undefined) return
        const code = codeOf(error.data)
        settle(
          new CallError('sfu-refused', `the SFU refused the connection: ${code}`, { detail: code }),
        )
      }
      const settle = (error: CallError | undefined) => {
        clearTimeout(timer)
        socket.off('connect', onConnect).off('connect_error', onRefused)
        if (error === undefined) {
          resolve()
          return
        }
        socket.disconnect()
        reject(error)
      }
      socket.on('connect', onConnect)
      socket.on('connect_error', onRefused)
      socket.connect()
    })
    return new Signalling(socket)
  }

  /** @throws CallError `sfu-refused`, `sfu-unreachable` or `sfu-protocol-violated` */
  async request<Name extends MediaRequestName>(
    name: Name,
    request: MediaRequest<Name>,
  ): Promise<MediaResult<Name>> {
    // socket.io would keep the request for a later connection, where it means nothing.
    if (!this.#socket.connected) throw unreachable(name)
    let reply: unknown
    try {
      reply = await this.#socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(name, request)
    } catch (cause) {
      throw unreachable(name, cause)
    }
    if (!isRecord(reply)) {
      throw new CallError('sfu-protocol-violated', `the answer to ${name} is no answer`)
    }
    if (reply['ok'] !== true) {
      const code = codeOf(reply)
      throw new CallError('sfu-refused', `the SFU refused ${name}: ${code}`, { detail: code })
    }
    return reply as unknown as MediaResult<Name>
  }

  /** Runs `listener` for each of the SFU's events, whatever it is. */
  onEvent(listener: (name: string, payload: unknown) => void): void {
    this.#socket.onAny((name: unknown, payload: unknown) => {
      if (typeof name === 'string') listener(name, payload)
    })
  }

  /** Runs `listener` once the connection is gone, for whatever reason but this object's `close`. */
  onDisconnected(listener: () => void): void {
    this.#socket.once('disconnect', () => {
      // The room is lost with the connection, so this namespace must not reconnect by itself.
      this.#socket.disconnect()
      if (!this.#closed) listener()
    })
  }

  close(): void {
    this.#closed = true
    this.#socket.offAny()
    this.#socket.disconnect()
  }
}

function unreachable(name: string, cause?: unknown): CallError {
  return new CallError('sfu-unreachable', `the SFU did not answer ${name}`, { cause })
}

function codeOf(data: unknown): string {
  const code = isRecord(data) ? data['code'] : undefined
  return typeof code === 'string' ? code.slice(0, 64) : 'unknown'
}
