import { hash, verify } from 'node:crypto'
import { plainBytes } from '../../../codec/bytes.ts'
import type { PublicPlatform } from '../assemble.ts'
import type { HashName, SignatureCurve } from '../cipherSuite.ts'
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
      verify(ecdsaHash(curve), message, importPublicKey(curve, publicKey), signature),
    ...(deterministic ? {} : { verifyBeside }),
  }
}

function verifyBeside(curve: SignatureCurve, { publicKey, message, signature }: SignedBytes) {
  const key = importPublicKey(curve, publicKey)
  return new Promise<boolean>((resolve, reject) => {
    verify(ecdsaHash(curve), message, key, signature, (error, valid) =>
      error === null ? resolve(valid) : reject(error),
    )
  })
}

export const nodeHash: Readonly<Record<HashName, string>> = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
}

const ecdsaHashes = { 'P-256': 'sha256', 'P-384': 'sha384', 'P-521': 'sha512' } as const

/** The digest that ECDSA names; EdDSA has its own. */
export function ecdsaHash(curve: SignatureCurve): string | null {
  return curve === 'Ed25519' || curve === 'Ed448' ? null : ecdsaHashes[curve]
}
