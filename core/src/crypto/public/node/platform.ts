import { hash, verify } from 'node:crypto'
import { plainBytes } from '../../../codec/bytes.ts'
import type { PublicPlatform } from '../assemble.ts'
import { ecdsaHash, type HashName, isNist, type SignatureCurve } from '../cipherSuite.ts'
import type { SignedBytes } from '../publicSuite.ts'
import { importPublicKey } from './keys.ts'

export interface NodePublicOptions {
  /** Every operation settles in microtasks: nothing runs on another thread. */
  readonly deterministic?: boolean
}

export function nodePublicPlatform({ deterministic = false }: NodePublicOptions): PublicPlatform {
  return {
    hash: (suite, data) => plainBytes(hash(nodeHash[suite.hash], data, 'buffer')),
    verify: (curve, { publicKey, message, signature }) =>
      verify(nodeDigest(curve), message, importPublicKey(curve, publicKey), signature),
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

export const nodeHash: Readonly<Record<HashName, string>> = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
}

/** The digest to sign, where the scheme has none of its own. */
export function nodeDigest(curve: SignatureCurve): string | null {
  return isNist(curve) ? nodeHash[ecdsaHash[curve]] : null
}
