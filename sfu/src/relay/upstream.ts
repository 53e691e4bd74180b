import type { Clock } from '@conclave/core'
import type { ServerEndpoint } from '@conclave/core/access'
import { deliveryNamespace } from '@conclave/core/delivery'
import { io } from 'socket.io-client'
import { ConnectRefusal } from '../admission.ts'
import type { SfuLimits } from '../limits.ts'
import type { UpstreamSocket } from './relaySession.ts'

/** A connection of its own to the keyserver for one client, with that client's credentials. */
export function createUpstream(
  { origin, socketPath }: ServerEndpoint,
  auth: Record<string, unknown>,
  limits: SfuLimits,
): UpstreamSocket {
  const options = {
    path: socketPath,
    auth,
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    autoConnect: false,
    maxPayload: limits.payloadBytes,
  }
  return io(`${origin}${deliveryNamespace}`, options)
}

/**
 * Connects, or disconnects for good.
 *
 * @throws ConnectRefusal with the keyserver's own data when it refused, or
 *   `data.code` `upstream-unavailable` when it could not be reached in time
 */
export async function connectUpstream(
  upstream: UpstreamSocket,
  limits: SfuLimits,
  clock: Clock,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (refusal: ConnectRefusal) => {
      cancelTimer()
      upstream.disconnect()
      reject(refusal)
    }
    const cancelTimer = clock.setTimer(limits.upstreamTimeoutMs, () => fail(unavailable()))
    upstream.once('connect', () => {
      cancelTimer()
      resolve()
    })
    upstream.once('connect_error', (error: Error & { data?: unknown }) => {
      fail(
        error.data === undefined
          ? unavailable()
          : new ConnectRefusal('upstream-refused', error.message, error.data),
      )
    })
    upstream.connect()
  })
}

function unavailable(): ConnectRefusal {
  return new ConnectRefusal('upstream-unavailable', 'the keyserver cannot be reached')
}
