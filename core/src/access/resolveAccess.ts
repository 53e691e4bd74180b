import type { Clock, RandomBytes } from '../runtime.ts'
import { AccessError } from './accessError.ts'
import { HmacAccessKey, MIN_SECRET_BYTES } from './accessKey.ts'
import { isLoopbackHost } from './loopback.ts'
import { mintToken, type TokenRequest } from './mintToken.ts'
import { createTokenVerifier, type TokenVerifier } from './tokenVerifier.ts'

/** A server's access rule. Servers in one process share one, so they accept the same tokens. */
export type Access =
  | { readonly mode: 'configured'; readonly verifier: TokenVerifier }
  | {
      readonly mode: 'development'
      readonly verifier: TokenVerifier
      /** Mints a token under this process's own random key. */
      readonly mint: (request: TokenRequest) => Promise<string>
    }

/**
 * Decides how a server checks tokens. With a secret it checks what the app's backend minted.
 * Without one it serves this machine alone and mints development tokens under a random key.
 *
 * @param options `host`: the address that the server will listen on; empty means every address
 * @throws AccessError `access-keys-required` without a secret on an address beyond loopback,
 *   `access-secret-weak`
 */
export function resolveAccess(options: {
  readonly secret?: string | undefined
  readonly host: string
  readonly clock: Clock
  readonly randomBytes: RandomBytes
}): Access {
  const { secret, host, clock, randomBytes } = options
  if (secret !== undefined && secret !== '') {
    const key = new HmacAccessKey(secret)
    return { mode: 'configured', verifier: createTokenVerifier({ keys: [key], clock }) }
  }
  if (!isLoopbackHost(host)) {
    throw new AccessError(
      'access-keys-required',
      `without an access secret the server listens on loopback only, not on "${host}"`,
      { remedy: 'configure the secret that the backend mints access tokens with' },
    )
  }
  const key = new HmacAccessKey(randomBytes(MIN_SECRET_BYTES))
  return {
    mode: 'development',
    verifier: createTokenVerifier({ keys: [key], clock }),
    mint: (request) => mintToken(request, key, clock),
  }
}
