import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { Bytes } from '../../../codec/bytes.ts'
import type { NistCurve } from '../../public/cipherSuite.ts'
import { base64, nistJwk, pem } from '../../public/node/keys.ts'
import { type Rfc8410Curve, rfc8410Pkcs8 } from '../pkcs8.ts'
import type { Secret } from '../secret.ts'

const opensslNames = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' } as const

/** The public half of a scalar. */
export function nistPublicKey(curve: NistCurve, privateKey: Secret): Bytes {
  const ecdh = createECDH(opensslNames[curve])
  ecdh.setPrivateKey(privateKey.expose())
  return new Uint8Array(ecdh.getPublicKey())
}

/*
 * Both imports hand OpenSSL a string, which nobody can wipe and the next garbage collection frees.
 * Without strings Node takes up to ten times as long (importPublicKey says why).
 */

export function importNist(curve: NistCurve, privateKey: Secret, publicKey: Bytes): KeyObject {
  const { key, format } = nistJwk(curve, publicKey)
  const d = base64(privateKey.expose(), 'base64url')
  return createPrivateKey({ key: { ...key, d }, format })
}

export function importRfc8410(curve: Rfc8410Curve, privateKey: Secret): KeyObject {
  const der = rfc8410Pkcs8(curve, privateKey)
  try {
    return createPrivateKey(pem('PRIVATE', der))
  } finally {
    der.fill(0)
  }
}

/** The public half of a key, which OpenSSL has computed when it imported it. */
export function rfc8410PublicKey(key: KeyObject): Bytes {
  const { x } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' })
  return new Uint8Array(Buffer.from(x as string, 'base64url'))
}
