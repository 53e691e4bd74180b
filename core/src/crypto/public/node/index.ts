import { createPublicKey, hash, type JsonWebKeyInput, verify } from 'node:crypto'
import { plainBytes } from '../../../codec/bytes.ts'
import { assemblePublicCrypto, type PublicPlatform } from '../assemble.ts'
import type { HashName, SignatureCurve } from '../cipherSuite.ts'
import type { PublicCrypto, SignedBytes } from '../publicSuite.ts'

export interface NodePublicOptions {
  /** Every operation settles in microtasks: nothing runs on another thread. */
  readonly deterministic?: boolean
}

/**
 * A suite's public half over node:crypto. One signature is verified on the calling thread, where it
 * costs less than the way to another; many are spread over libuv's thread pool.
 */
export function nodePublicCrypto(options: NodePublicOptions = {}): PublicCrypto {
  return assemblePublicCrypto(nodePublicPlatform(options))
}

export function nodePublicPlatform({ deterministic = false }: NodePublicOptions): PublicPlatform {
  return {
    hash: (suite, data) => plainBytes(hash(nodeHash[suite.hash], data, 'buffer')),
    verify: (curve, { publicKey, message, signature }) =>
      verify(ecdsaHash(curve), message, verifyKey(curve, publicKey), signature),
    ...(deterministic ? {} : { verifyBeside }),
  }
}

function verifyBeside(curve: SignatureCurve, { publicKey, message, signature }: SignedBytes) {
  return new Promise<boolean>((resolve, reject) => {
    verify(ecdsaHash(curve), message, verifyKey(curve, publicKey), signature, (error, valid) =>
      error === null ? resolve(valid) : reject(error),
    )
  })
}

function verifyKey(curve: SignatureCurve, publicKey: Uint8Array) {
  const key = createPublicKey(publicJwk(curve, publicKey))
  return { key, dsaEncoding: 'ieee-p1363' as const }
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

/** A serialised public key as Node imports it fastest: DER takes its decoders several times as long. */
export function publicJwk(
  curve: SignatureCurve | 'X25519' | 'X448',
  publicKey: Uint8Array,
): JsonWebKeyInput & { key: { crv: string; x: string; y?: string } } {
  if (curve !== 'P-256' && curve !== 'P-384' && curve !== 'P-521') {
    return { key: { kty: 'OKP', crv: curve, x: base64url(publicKey) }, format: 'jwk' }
  }
  const middle = (publicKey.length + 1) / 2
  const x = base64url(publicKey.subarray(1, middle))
  const y = base64url(publicKey.subarray(middle))
  return { key: { kty: 'EC', crv: curve, x, y }, format: 'jwk' }
}

export function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}
