import { AccessError } from './accessError.ts'
import type { JsonWebKey } from './asymmetricKey.ts'
import type { FetchKeys, JsonWebKeySet } from './keySet.ts'
import type { AccessKeys } from './resolveAccess.ts'

/** A server's keys as they stand in its environment and files; what is empty counts as absent. */
export interface AccessKeyTexts {
  readonly secret?: string | undefined
  /** JSON object: secrets by their `kid`. */
  readonly secrets?: string | undefined
  /** One or several PEMs, or JSON: a JWK or a list of them. */
  readonly publicKeys?: string | undefined
  /** URL or JSON. */
  readonly jwks?: string | undefined
}

const pemBlock = /-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g

/**
 * @param fetch fetches the key set where `jwks` is a URL
 * @throws AccessError `access-key-invalid` where a text is not of its format
 */
export function readAccessKeys(texts: AccessKeyTexts, fetch: FetchKeys): AccessKeys {
  const { secret, secrets, publicKeys, jwks } = texts
  return {
    secret,
    ...(isGiven(secrets) && { secrets: secretsIn(secrets) }),
    ...(isGiven(publicKeys) && { publicKeys: publicKeysIn(publicKeys) }),
    ...(isGiven(jwks) && { jwks: keySetIn(jwks, fetch) }),
  }
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== ''
}

function secretsIn(text: string): Readonly<Record<string, string>> {
  const secrets = jsonIn(text)
  if (isObject(secrets)) {
    const entries = Object.entries(secrets)
    const named = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    if (named.length === entries.length) return Object.fromEntries(named)
  }
  throw invalid('access secrets', '{ "kid": "secret", ... }')
}

function publicKeysIn(text: string): readonly (string | JsonWebKey)[] {
  const pems = text.match(pemBlock)
  if (pems !== null) return pems
  const json = jsonIn(text)
  const keys: readonly unknown[] = Array.isArray(json) ? json : [json]
  if (keys.every(isObject)) return keys
  throw invalid('public keys', 'PEM, or JSON with a JWK or a list of them')
}

function keySetIn(text: string, fetch: FetchKeys): NonNullable<AccessKeys['jwks']> {
  if (/^\s*[a-z]+:/i.test(text)) return { url: text.trim(), fetch }
  const set = jsonIn(text)
  if (isKeySet(set)) return set
  throw invalid('JWKS', 'an https URL, or JSON: { "keys": [...] }')
}

function isKeySet(value: unknown): value is JsonWebKeySet {
  return isObject(value) && Array.isArray(value['keys']) && value['keys'].every(isObject)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is no JSON could be a secret, so nothing of it is told. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function invalid(what: string, format: string): AccessError {
  return new AccessError(
    'access-key-invalid',
    `what is configured as ${what} is not in its format`,
    {
      remedy: `give ${format}`,
    },
  )
}
