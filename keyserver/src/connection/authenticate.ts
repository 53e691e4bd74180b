import {
  type AccessClaims,
  AccessError,
  requireGrant,
  type TokenVerifier,
} from '@conclave/core/access'

/** The error of a socket.io middleware: `data` reaches the client's `connect_error`. */
export class ConnectRefusal extends Error {
  override readonly name = 'ConnectRefusal'
  readonly data: { readonly code: string; readonly message: string }

  /** @param cause is not told */
  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause })
    this.data = { code, message }
  }
}

/**
 * What the token says that a client connects with as `auth.token`; it must grant `join`.
 * @throws ConnectRefusal with one of AccessError's `token-…` codes, or `unavailable` where nobody's
 *   token can be checked
 */
export async function authenticate(
  auth: { readonly token?: unknown },
  verifier: TokenVerifier,
): Promise<AccessClaims> {
  try {
    const claims = await verifier.verify(auth.token)
    requireGrant(claims, 'join')
    return claims
  } catch (error) {
    if (!(error instanceof AccessError)) throw error
    if (error.code === 'access-keys-unavailable') {
      throw new ConnectRefusal('unavailable', 'access tokens cannot be checked now', error)
    }
    throw new ConnectRefusal(error.code, error.message)
  }
}
