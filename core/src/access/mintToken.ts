import { SignJWT } from 'jose'
import type { Clock } from '../runtime.ts'
import { type Grants, isName, MAX_NAME_LENGTH } from './accessClaims.ts'
import type { SigningKey } from './accessKey.ts'

/**
 * What a backend asks for; without `grants` the token allows to join, publish and subscribe, and
 * neither to invite nor to manage.
 */
export interface TokenRequest {
  readonly identity: string
  /** A meeting id, or `*` for every meeting. */
  readonly meeting: string
  readonly grants?: Grants
  readonly ttlSeconds?: number
}

const DEFAULT_TTL_SECONDS = 6 * 3600
const DEFAULT_GRANTS: Grants = { join: true, publish: true, subscribe: true }

/**
 * Mints an access token: a compact JWS (RFC 7519) with `sub` = identity, `meeting`, `grants`, `iat`
 * and `exp`. The app's backend does this for a user whom it has authenticated.
 *
 * @param request `ttlSeconds` defaults to six hours
 * @param key the secret that the servers share, or a private key whose public half they have
 * @throws RangeError when a name is empty or too long, or the lifetime is not positive and finite
 */
export async function mintToken(
  request: TokenRequest,
  key: SigningKey,
  clock: Clock,
): Promise<string> {
  const { identity, meeting, grants = DEFAULT_GRANTS, ttlSeconds = DEFAULT_TTL_SECONDS } = request
  if (!isName(identity) || !isName(meeting)) {
    throw new RangeError(`identity and meeting have 1 to ${MAX_NAME_LENGTH} characters`)
  }
  if (!(ttlSeconds > 0 && ttlSeconds < Number.POSITIVE_INFINITY)) {
    throw new RangeError('ttlSeconds is positive and finite')
  }
  const issuedAt = Math.floor(clock.now() / 1000)
  const header = {
    alg: key.algorithm,
    typ: 'JWT',
    ...(key.id === undefined ? {} : { kid: key.id }),
  }
  return await new SignJWT({ meeting, grants })
    .setProtectedHeader(header)
    .setSubject(identity)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + Math.ceil(ttlSeconds))
    .sign(key.material())
}
