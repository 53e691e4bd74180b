import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import { concatBytes, fromHex } from '../../../codec/bytes.ts'
import { isNist, type KemCurve, type NistCurve, type SignatureCurve } from '../cipherSuite.ts'

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
