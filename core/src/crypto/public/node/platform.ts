import { hash, type KeyObject, verify } from 'node:crypto'
import { plainBytes } from '../../../codec/bytes.ts'
import type { PublicPlatform } from '../assemble.ts'
import { ecdsaHash, type HashName, isNist, type SignatureCurve } from '../cipherSuite.ts'
import type { SignedBytes } from '../publicSuite.ts'
import { base64, importPublicKey } from './keys.ts'

export interface NodePublicOptions {
  /** Every operation settles in microtasks: nothing runs on another thread. */
  readonly deterministic?: boolean
}

export function nodePublicPlatform({ deterministic = false }: NodePublicOptions): PublicPlatform {
  const keys = new RecentKeys()
  return {
    hash: (suite, data) => plainBytes(hash(nodeHash[suite.hash], data, 'buffer')),
    verify: (curve, { publicKey, message, signature }) =>
      verify(nodeDigest(curve), message, keys.get(curve, publicKey), signature),
    ...(deterministic ? {} : { verifyBeside }),
  }
}

function verifyBeside(curve: SignatureCurve, { publicKey, message, signature }: SignedBytes) {
  const key = importPublicKey(curve, publicKey)
  return new Promise<boolean>((resolve, reject) => {
    verify(nodeDigest(curve), message, key, signature, (error, valid) =>
      error === null ? resolve(valid) : reject(error),
    )
  })
}

/** More than a large meeting has members; an imported key takes about a kilobyte. */
const maxRecentKeys = 2048

/** Keys that were verified with lately: a member signs a commit twice, and soon the next one. */
class RecentKeys {
  readonly #imports = new Map<string, KeyObject>()

  get(curve: SignatureCurve, publicKey: Uint8Array): KeyObject {
    const name = `${curve} ${base64(publicKey, 'base64')}`
    const key = this.#imports.get(name) ?? importPublicKey(curve, publicKey)
    // A Map keeps the order of insertion: the first is the one that was not asked for the longest.
    this.#imports.delete(name)
    this.#imports.set(name, key)
    const [oldest] = this.#imports.keys()
    if (this.#imports.size > maxRecentKeys && oldest !== undefined) this.#imports.delete(oldest)
    return key
  }
}

export const nodeHash: Readonly<Record<HashName, string>> = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
}

/** The digest to sign, where the scheme has none of its own. */
export function nodeDigest(curve: SignatureCurve): string | null {
  return isNist(curve) ? nodeHash[ecdsaHash[curve]] : null
}
