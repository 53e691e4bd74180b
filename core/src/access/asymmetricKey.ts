import { importJWK, importPKCS8, importSPKI, type JWK } from 'jose'
import { AccessError } from './accessError.ts'
import type { SigningKey, VerifyingKey } from './accessKey.ts'

/** A key as JSON (RFC 7517). */
export type JsonWebKey = Readonly<Record<string, unknown>>

/**
 * The kinds of keys that can sign tokens. Each has one algorithm, which the key decides and never
 * the token; EdDSA has two names (RFC 8037, RFC 9864).
 */
const keyTypes = [
  { algorithms: ['EdDSA', 'Ed25519'], kty: 'OKP', crv: 'Ed25519' },
  { algorithms: ['ES256'], kty: 'EC', crv: 'P-256' },
  { algorithms: ['RS256'], kty: 'RSA', crv: undefined },
] as const
type KeyType = (typeof keyTypes)[number]

/** RFC 7518 §3.3. */
const minModulusBits = 2048

interface ImportedKey {
  readonly key: CryptoKey
  readonly type: KeyType
  readonly id: string | undefined
}

/** The public half of a key of the app's backend: it checks tokens and cannot make any. */
export class PublicAccessKey implements VerifyingKey {
  readonly id: string | undefined
  readonly algorithms: readonly string[]
  readonly #key: CryptoKey

  private constructor({ key, type, id }: ImportedKey) {
    this.#key = key
    this.algorithms = type.algorithms
    this.id = id
  }

  /**
   * @param key Ed25519, P-256 or RSA from 2048 bits: a PEM with `BEGIN PUBLIC KEY` (RFC 5280's
   *   SubjectPublicKeyInfo), or a JWK, whose `kid` becomes the key's id
   * @throws AccessError `access-key-invalid`
   */
  static async import(key: string | JsonWebKey, id?: string): Promise<PublicAccessKey> {
    return new PublicAccessKey(await importKey(key, 'public', id))
  }

  material(): CryptoKey {
    return this.#key
  }
}

/** A private key of the app's backend, which signs tokens. */
export class PrivateAccessKey implements SigningKey {
  readonly id: string | undefined
  readonly algorithm: string
  readonly #key: CryptoKey

  private constructor({ key, type, id }: ImportedKey) {
    this.#key = key
    this.algorithm = type.algorithms[0]
    this.id = id
  }

  /**
   * @param key Ed25519, P-256 or RSA from 2048 bits: a PEM with `BEGIN PRIVATE KEY` (PKCS #8), or
   *   a JWK, whose `kid` becomes the key's id
   * @throws AccessError `access-key-invalid`
   */
  static async import(key: string | JsonWebKey, id?: string): Promise<PrivateAccessKey> {
    return new PrivateAccessKey(await importKey(key, 'private', id))
  }

  material(): CryptoKey {
    return this.#key
  }
}

async function importKey(
  source: string | JsonWebKey,
  half: 'public' | 'private',
  id: string | undefined,
): Promise<ImportedKey> {
  const imported =
    typeof source === 'string' ? await importPem(source, half) : await importJson(source)
  if (imported === undefined || imported.key.type !== half) {
    throw new AccessError('access-key-invalid', `this is no ${half} key that tokens can be under`, {
      remedy: `give a ${half} key for Ed25519, P-256 or RSA as ${pemKind[half]} PEM or as a JWK`,
    })
  }
  if (modulusBits(imported.key) < minModulusBits) {
    throw new AccessError(
      'access-key-invalid',
      `the RSA key is shorter than ${minModulusBits} bits`,
      {
        remedy: 'use an Ed25519 key: openssl genpkey -algorithm ed25519',
      },
    )
  }
  return { ...imported, id: id ?? imported.id }
}

const pemKind = { public: 'SPKI', private: 'PKCS #8' } as const

/** A PEM does not need to say which kind of key it has: it can be imported as that kind alone. */
async function importPem(
  pem: string,
  half: 'public' | 'private',
): Promise<ImportedKey | undefined> {
  const read = half === 'public' ? importSPKI : importPKCS8
  for (const type of keyTypes) {
    try {
      return { key: await read(pem.trim(), type.algorithms[0]), type, id: undefined }
    } catch {
      // Not of this kind.
    }
  }
  return undefined
}

async function importJson(jwk: JsonWebKey): Promise<ImportedKey | undefined> {
  const { kty, crv, alg, use, kid } = jwk
  const type = keyTypes.find((one) => one.kty === kty && one.crv === crv)
  if (type === undefined || (use !== undefined && use !== 'sig')) return undefined
  if (alg !== undefined && !type.algorithms.some((algorithm) => algorithm === alg)) return undefined
  try {
    const key = await importJWK({ ...jwk } as JWK, type.algorithms[0])
    if (key instanceof Uint8Array) return undefined
    return { key, type, id: typeof kid === 'string' ? kid : undefined }
  } catch {
    return undefined
  }
}

function modulusBits({ algorithm }: CryptoKey): number {
  const { modulusLength }: { modulusLength?: unknown } = algorithm as object
  return typeof modulusLength === 'number' ? modulusLength : Number.POSITIVE_INFINITY
}
