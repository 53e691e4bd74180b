import { compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import type { Clock } from '../runtime.ts'
import { type AccessClaims, parseClaims, requireMeeting } from './accessClaims.ts'
import { AccessError } from './accessError.ts'
import type { AccessKey } from './accessKey.ts'

/** Longest token that is looked at, in characters. */
export const MAX_TOKEN_LENGTH = 8192

export interface TokenVerifier {
  /**
   * @param token what a client presented; anything but a valid token is an error
   * @param expected `meeting`: the meeting the client wants; without it any meeting is accepted
   * @throws AccessError `token-missing`, `token-malformed`, `token-signature`, `token-expired` or
   *   `token-wrong-meeting`
   */
  verify(token: unknown, expected?: { readonly meeting?: string }): Promise<AccessClaims>
}

/** Checks tokens against `keys`; the algorithm is the key's, never the token's choice. */
export function createTokenVerifier(options: {
  readonly keys: readonly AccessKey[]
  readonly clock: Clock
}): TokenVerifier {
  const { keys, clock } = options
  return {
    async verify(token, expected = {}) {
      if (token === undefined || token === null || token === '') {
        throw new AccessError('token-missing', 'no access token was presented', {
          remedy: "pass the token that the app's backend minted for this user and meeting",
        })
      }
      if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) throw malformed()
      const candidates = keysFor(token, keys)
      if (!(await isSignedByOneOf(token, candidates))) {
        throw new AccessError('token-signature', 'the access token is not signed by a known key')
      }
      const claims = readClaims(token)
      if (claims.expiresAt <= clock.now()) {
        throw new AccessError('token-expired', 'the access token has expired', {
          remedy: "ask the app's backend for a new one",
        })
      }
      if (expected.meeting !== undefined) requireMeeting(claims, expected.meeting)
      return claims
    },
  }
}

function malformed(cause?: unknown): AccessError {
  return new AccessError('token-malformed', 'the access token is not a valid JWT', { cause })
}

function keysFor(token: string, keys: readonly AccessKey[]): readonly AccessKey[] {
  const { kid } = readHeader(token)
  if (kid === undefined) return keys
  return keys.filter((key) => key.id === undefined || key.id === kid)
}

function readHeader(token: string): { readonly kid?: string } {
  try {
    const { kid } = decodeProtectedHeader(token)
    return typeof kid === 'string' ? { kid } : {}
  } catch (cause) {
    throw malformed(cause)
  }
}

async function isSignedByOneOf(token: string, keys: readonly AccessKey[]): Promise<boolean> {
  for (const key of keys) {
    try {
      await compactVerify(token, key.material(), { algorithms: [key.algorithm] })
      return true
    } catch {
      // Not this key; a malformed payload shows once a signature has been found good.
    }
  }
  return false
}

function readClaims(token: string): AccessClaims {
  let payload: Readonly<Record<string, unknown>>
  try {
    payload = decodeJwt(token)
  } catch (cause) {
    throw malformed(cause)
  }
  const claims = parseClaims(payload)
  if (claims === undefined) throw malformed()
  return claims
}
