import {
  type AccessClaims,
  AccessError,
  requireGrant,
  type TokenVerifier,
} from '@conclave/core/access'
import { ConnectRefusal } from './admission.ts'
import type { ClientSocket } from './connections.ts'

/**
 * The claims of the token that a client presented as `auth.token`, which must grant `join`.
 *
 * @throws ConnectRefusal with `data.code` one of AccessError's `token-*`
 */
export async function authenticate(
  socket: ClientSocket,
  verifier: TokenVerifier,
): Promise<AccessClaims> {
  const { token }: { readonly token?: unknown } = socket.handshake.auth
  try {
    const claims = await verifier.verify(token)
    requireGrant(claims, 'join')
    return claims
  } catch (error) {
    if (!(error instanceof AccessError)) throw error
    throw new ConnectRefusal(error.code, error.message)
  }
}
