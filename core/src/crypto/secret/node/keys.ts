import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { Bytes } from '../../../codec/bytes.ts'
import type { KemCurve, NistCurve, SignatureCurve } from '../../public/cipherSuite.ts'
import { base64url, publicJwk } from '../../public/node/index.ts'
import { pkcs8 } from '../pkcs8.ts'
import type { Secret } from '../secret.ts'

const opensslNames = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' } as const

type Curve = KemCurve | SignatureCurve

export function isNist(curve: Curve): curve is NistCurve {
  return curve === 'P-256' || curve === 'P-384' || curve === 'P-521'
}

/** The public half of a scalar. */
export function nistPublicKey(curve: NistCurve, privateKey: Secret): Bytes {
  const ecdh = createECDH(opensslNames[curve])
  ecdh.setPrivateKey(privateKey.expose())
  return new Uint8Array(ecdh.getPublicKey())
}

/**
 * A key for OpenSSL. NIST keys go through a JWK, and so through a string: their DER takes OpenSSL's
 * decoders ten times as long.
 */
export function importNist(curve: NistCurve, privateKey: Secret, publicKey: Bytes): KeyObject {
  const { key, format } = publicJwk(curve, publicKey)
  return createPrivateKey({ key: { ...key, d: base64url(privateKey.expose()) }, format })
}

export function importRfc8410(curve: Exclude<Curve, NistCurve>, privateKey: Secret): KeyObject {
  const key = pkcs8(curve, privateKey)
  try {
    // A view of the same memory, so that the wipe reaches it.
    return createPrivateKey({ key: Buffer.from(key.buffer), format: 'der', type: 'pkcs8' })
  } finally {
    key.fill(0)
  }
}

/** The public half of an imported key, which OpenSSL has already computed. */
export function rfc8410PublicKey(privateKey: KeyObject): Bytes {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  return new Uint8Array(Buffer.from(x as string, 'base64url'))
}
