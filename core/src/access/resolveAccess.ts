import type { Clock, RandomBytes } from '../runtime.ts'
import { AccessError } from './accessError.ts'
import { HmacAccessKey, MIN_SECRET_BYTES, type VerifyingKey } from './accessKey.ts'
import { type JsonWebKey, PublicAccessKey } from './asymmetricKey.ts'
import { type FetchKeys, importKeySet, type JsonWebKeySet, RemoteKeySet } from './keySet.ts'
import { isLoopbackHost } from './loopback.ts'
import { mintToken, type TokenRequest } from './mintToken.ts'
import { createTokenVerifier, type TokenVerifier } from './tokenVerifier.ts'

/** What a server checks tokens with; any of these, and several at once while keys are changed. */
export interface AccessKeys {
  /** Shared with the app's backend, at least 32 bytes. */
  readonly secret?: string | undefined
  /** The same, by the `kid` under which tokens name them. */
  readonly secrets?: Readonly<Record<string, string>>
  /** PEM or JWK. */
  readonly publicKeys?: readonly (string | JsonWebKey)[]
  /** A key set, or where the app's backend serves one. */
  readonly jwks?: JsonWebKeySet | { readonly url: string; readonly fetch: FetchKeys } | undefined
}

/** Mints a token under a key that the server has itself. */
export type Mint = (request: TokenRequest) => Promise<string>

/** A server's access rule. Servers in one process share one, so they accept the same tokens. */
export type Access =
  | {
      readonly mode: 'configured'
      readonly verifier: TokenVerifier
      /** Under the first secret; a server that has public keys alone cannot mint. */
      readonly mint: Mint | undefined
    }
  | {
      readonly mode: 'development'
      readonly verifier: TokenVerifier
      /** Under this process's own random key. */
      readonly mint: Mint
    }

/**
 * Decides how a server checks tokens. With keys it checks what the app's backend minted. Without
 * any it serves this machine alone and mints development tokens under a random key.
 *
 * @param options `host`: the address that the server will listen on; empty means every address
 * @throws AccessError `access-keys-required` without a key on an address beyond loopback,
 *   `access-secret-weak`, `access-key-invalid`, `url-invalid` or `insecure-url`
 */
export async function resolveAccess(
  options: AccessKeys & {
    readonly host: string
    readonly clock: Clock
    readonly randomBytes: RandomBytes
  },
): Promise<Access> {
  const { host, clock, randomBytes, jwks } = options
  const secrets = hmacKeys(options)
  const keys: VerifyingKey[] = [...secrets]
  for (const key of options.publicKeys ?? []) keys.push(await PublicAccessKey.import(key))
  let remote: RemoteKeySet | undefined
  if (jwks !== undefined && 'url' in jwks) remote = new RemoteKeySet({ ...jwks, clock })
  else if (jwks !== undefined) keys.push(...(await importKeySet(jwks)))
  if (keys.length > 0 || remote !== undefined) {
    const [first] = secrets
    return {
      mode: 'configured',
      verifier: createTokenVerifier({ keys, remote, clock }),
      mint: first && ((request) => mintToken(request, first, clock)),
    }
  }
  if (!isLoopbackHost(host)) {
    throw new AccessError(
      'access-keys-required',
      `without a key for access tokens the server listens on loopback only, not on "${host}"`,
      { remedy: 'configure the secret, public key or JWKS of what mints access tokens' },
    )
  }
  const key = new HmacAccessKey(randomBytes(MIN_SECRET_BYTES))
  return {
    mode: 'development',
    verifier: createTokenVerifier({ keys: [key], clock }),
    mint: (request) => mintToken(request, key, clock),
  }
}

function hmacKeys({ secret, secrets = {} }: AccessKeys): readonly HmacAccessKey[] {
  const named = Object.entries(secrets).map(([id, one]) => new HmacAccessKey(one, id))
  return secret === undefined || secret === '' ? named : [new HmacAccessKey(secret), ...named]
}
