import type { AccessClaims, TokenVerifier } from '@conclave/core/access'
import type { Logger } from 'pino'
import type { Server } from 'socket.io'
import type { KeyserverLimits } from '../limits.ts'
import type { KeyserverObserver } from '../observer.ts'
import type { Admissions, Release } from './admissions.ts'
import { authenticate, ConnectRefusal } from './authenticate.ts'
import type { DeliveryNamespace, DeliverySocket } from './deliverySocket.ts'

type EngineConnection = DeliverySocket['conn']

/** Connections that are refused and have not gone yet; what comes beyond is cut without a word. */
const lingeringRefused = 64

/**
 * Lets clients into the namespace: those whose address, identity and the keyserver itself have room
 * for another connection, whose token is good, and each connection once. A socket that is in has
 * its `claims`.
 */
export function admitClients(
  io: Server,
  clients: DeliveryNamespace,
  options: {
    readonly verifier: TokenVerifier
    readonly admissions: Admissions
    readonly limits: KeyserverLimits
    readonly observer: KeyserverObserver
    readonly logger: Logger
  },
): void {
  const { verifier, admissions, limits, observer, logger } = options
  const refused = new Set<EngineConnection>()
  const admitted = new Map<EngineConnection, Release>()
  const called = new WeakSet<EngineConnection>()

  const leave = (connection: EngineConnection): void => {
    admitted.get(connection)?.()
    admitted.delete(connection)
    refused.delete(connection)
  }

  // A connection counts from its beginning, whether or not it ever presents a token.
  io.engine.on('connection', (connection: EngineConnection) => {
    const address = addressOf(connection)
    const release = admissions.attempt(...address) ? admissions.open(...address) : undefined
    if (release === undefined && refused.size >= lingeringRefused) {
      observer.refused('connect', 'rate-limited', undefined)
      connection.close(true)
      return
    }
    if (release === undefined) refused.add(connection)
    connection.once('close', () => {
      release?.()
      leave(connection)
    })
  })

  const admit = async ({ conn, handshake }: DeliverySocket): Promise<AccessClaims> => {
    if (refused.has(conn)) throw noRoom('too many connections of this address')
    if (called.has(conn) && !admissions.attempt(...addressOf(conn))) {
      throw noRoom('too many attempts of this address')
    }
    called.add(conn)
    if (clients.sockets.size >= limits.connections) {
      throw noRoom('the keyserver has no room for another connection')
    }
    // socket.io itself makes as many sockets of a connection as it sends CONNECT packets.
    if (admitted.has(conn)) {
      throw new ConnectRefusal('already-connected', 'this connection is on the namespace already')
    }
    admitted.set(conn, () => {})
    try {
      const claims = await authenticate(handshake.auth, verifier)
      const release = admissions.connect(claims.identity)
      if (release === undefined) throw noRoom('too many connections of this identity')
      if (admitted.has(conn)) admitted.set(conn, release)
      else release()
      return claims
    } catch (error) {
      admitted.delete(conn)
      throw error
    }
  }
  clients.use((socket, next) => {
    admit(socket).then(
      (claims) => {
        socket.data.claims = claims
        next()
      },
      (error: unknown) => {
        const refusal = refusalOf(error)
        const { code } = refusal.data
        observer.refused('connect', code, undefined)
        if (code === 'internal' || code === 'unavailable') {
          logger.warn({ err: refusal.cause }, 'an access token could not be checked')
        }
        next(refusal)
      },
    )
  })
  clients.on('connection', (socket) => {
    socket.on('disconnect', () => leave(socket.conn))
  })
}

function addressOf({ remoteAddress, request }: EngineConnection) {
  return [remoteAddress, request.headers['x-forwarded-for']?.toString()] as const
}

function refusalOf(error: unknown): ConnectRefusal {
  if (error instanceof ConnectRefusal) return error
  return new ConnectRefusal('internal', 'the keyserver failed', error)
}

function noRoom(message: string): ConnectRefusal {
  return new ConnectRefusal('rate-limited', message)
}
