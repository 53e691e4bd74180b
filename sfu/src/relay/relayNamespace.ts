import type { Clock } from '@conclave/core'
import type { ServerEndpoint } from '@conclave/core/access'
import type { Logger } from 'pino'
import type { ClientNamespace, ClientSocket } from '../connections.ts'
import type { SfuLimits } from '../limits.ts'
import type { SfuObserver } from '../observer.ts'
import { RelaySession } from './relaySession.ts'
import { connectUpstream, createUpstream } from './upstream.ts'

export interface RelayOptions {
  readonly keyserver: ServerEndpoint
  readonly limits: SfuLimits
  readonly clock: Clock
  readonly logger: Logger
  readonly observer: SfuObserver
}

/** The open relays of one SFU. */
export interface Relay {
  readonly size: number
  /**
   * Connects an authenticated client to the keyserver, before it is connected here.
   *
   * @throws ConnectRefusal with the keyserver's reason or `upstream-unavailable`
   */
  admit(socket: ClientSocket): Promise<void>
  /** Disconnects every relayed client with `server-closing`. */
  close(): void
}

/** Relays every client that was admitted to the namespace. */
export function relayDelivery(namespace: ClientNamespace, options: RelayOptions): Relay {
  const { keyserver, limits, clock, logger, observer } = options
  const open = new Set<RelaySession>()
  const sessionOf = new WeakMap<ClientSocket, RelaySession>()

  namespace.on('connection', (socket) => sessionOf.get(socket)?.attach(socket))
  return {
    get size() {
      return open.size
    },
    async admit(socket) {
      const { conn } = socket
      const upstream = createUpstream(keyserver, { ...socket.handshake.auth }, limits)
      const session = new RelaySession(upstream, limits, clock, (code) => {
        conn.off('close', onConnectionClosed)
        open.delete(session)
        observer.emit('relayclosed', { code })
      })
      // The connection may end before the client was ever connected to the namespace.
      const onConnectionClosed = () => session.close('client-left')
      conn.on('close', onConnectionClosed)
      open.add(session)
      sessionOf.set(socket, session)
      observer.emit('newrelay')
      try {
        await connectUpstream(upstream, limits, clock)
      } catch (error) {
        logger.info({ err: error }, 'the keyserver did not accept a relayed client')
        session.close('upstream-unavailable')
        throw error
      }
    },
    close() {
      for (const session of [...open]) session.close('server-closing')
    },
  }
}
