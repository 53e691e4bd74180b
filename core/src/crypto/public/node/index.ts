import { createPublicKey, hash, type JsonWebKeyInput, type KeyObject, verify } from 'node:crypto'
import { concatBytes, fromHex, plainBytes } from '../../../codec/bytes.ts'
import { assemblePublicCrypto, type PublicPlatform } from '../assemble.ts'
import type { HashName, KemCurve, NistCurve, SignatureCurve } from '../cipherSuite.ts'
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

/** RFC 8410 §4: what precedes the key in a SubjectPublicKeyInfo. */
const spkiHeaders = {
  X25519: fromHex('302a300506032b656e032100'),
  X448: fromHex('3042300506032b656f033900'),
  Ed25519: fromHex('302a300506032b6570032100'),
  Ed448: fromHex('3043300506032b6571033a00'),
}

/**
 * The key object of a serialised public key, in the form that Node takes fastest. Since Node 24 that
 * is a string where the curve allows one: what any other input is, Node finds out by catching four
 * errors, whose stack traces cost more than the import.
 */
export function importPublicKey(
  curve: KemCurve | SignatureCurve,
  publicKey: Uint8Array,
): KeyObject {
  if (isNist(curve)) return createPublicKey(nistJwk(curve, publicKey))
  return createPublicKey(pem('PUBLIC', concatBytes(spkiHeaders[curve], publicKey)))
}

export function isNist(curve: KemCurve | SignatureCurve): curve is NistCurve {
  return curve === 'P-256' || curve === 'P-384' || curve === 'P-521'
}

/** An uncompressed point as a JWK: its DER takes OpenSSL's decoders several times as long. */
export function nistJwk(
  curve: NistCurve,
  point: Uint8Array,
): JsonWebKeyInput & { readonly key: { readonly crv: string } } {
  const middle = (point.length + 1) / 2
  const x = base64(point.subarray(1, middle), 'base64url')
  const y = base64(point.subarray(middle), 'base64url')
  return { key: { kty: 'EC', crv: curve, x, y }, format: 'jwk' }
}

export function pem(kind: 'PUBLIC' | 'PRIVATE', der: Uint8Array): string {
  return `-----BEGIN ${kind} KEY-----\n${base64(der, 'base64')}\n-----END ${kind} KEY-----\n`
}

export function base64(bytes: Uint8Array, alphabet: 'base64' | 'base64url'): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(alphabet)
}
