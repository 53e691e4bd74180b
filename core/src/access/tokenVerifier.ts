import { compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import type { Clock } from '../runtime.ts'
import { type AccessClaims, parseClaims, requireMeeting, type TimedClaims } from './accessClaims.ts'
import { AccessError } from './accessError.ts'
import type { VerifyingKey } from './accessKey.ts'
import { keysNamed, type RemoteKeySet } from './keySet.ts'

/** Longest token that is looked at, in characters. */
export const MAX_TOKEN_LENGTH = 8192
/**
 * How far the minting backend's clock may be ahead where a token says from when on it is good
 * (`nbf`). When it expires is this server's clock's word alone.
 */
export const CLOCK_TOLERANCE_SECONDS = 10

export interface TokenVerifier {
  /**
   * @param token what a client presented; anything but a valid token is an error
   * @param expected `meeting`: the meeting the client wants; without it any meeting is accepted
   * @throws AccessError `token-missing`, `token-malformed`, `token-signature`, `token-expired`,
   *   `token-not-yet-valid`, `token-wrong-meeting`, or `access-keys-unavailable`
   */
  verify(token: unknown, expected?: { readonly meeting?: string }): Promise<AccessClaims>
}

/**
 * Checks tokens against `keys` and, where none of them fits, against those of `remote`. The
 * algorithm is the key's, never the token's choice.
 */
export function createTokenVerifier(options: {
  readonly keys: readonly VerifyingKey[]
  readonly remote?: RemoteKeySet | undefined
  readonly clock: Clock
}): TokenVerifier {
  const { keys, remote, clock } = options
  return {
    async verify(token, expected = {}) {
      if (token === undefined || token === null || token === '') {
        throw new AccessError('token-missing', 'no access token was presented', {
          remedy: "pass the token that the app's backend minted for this user and meeting",
        })
      }
      if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) throw malformed()
      const id = keyIdOf(token)
      const signed =
        (await isSignedByOneOf(token, keysNamed(keys, id))) ||
        (remote !== undefined && (await isSignedByOneOf(token, await remote.keysFor(id))))
      if (!signed) {
        throw new AccessError('token-signature', 'the access token is not signed by a known key')
      }
      const { claims, notBefore } = readClaims(token)
      if (notBefore !== undefined && clock.now() + CLOCK_TOLERANCE_SECONDS * 1000 < notBefore) {
        throw new AccessError('token-not-yet-valid', 'the access token is for later', {
          remedy: "see that the clocks of the app's backend and of this server agree",
        })
      }
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

/** The key id that the token's header names, if it names one. */
function keyIdOf(token: string): string | undefined {
  let kid: unknown
  try {
    kid = decodeProtectedHeader(token).kid
  } catch (cause) {
    throw malformed(cause)
  }
  if (kid !== undefined && typeof kid !== 'string') throw malformed()
  return kid
}

async function isSignedByOneOf(token: string, keys: readonly VerifyingKey[]): Promise<boolean> {
  for (const key of keys) {
    try {
      await compactVerify(token, key.material(), { algorithms: [...key.algorithms] })
      return true
    } catch {
      // Not this key; a malformed payload shows once a signature has been found good.
    }
  }
  return false
}

function readClaims(token: string): TimedClaims {
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
