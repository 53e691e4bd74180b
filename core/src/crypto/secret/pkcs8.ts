import { type Bytes, concatBytes, fromHex } from '../../codec/bytes.ts'
import type { KemCurve, NistCurve, SignatureCurve } from '../public/cipherSuite.ts'
import type { Secret } from './secret.ts'

/*
 * PKCS#8, the one form in which WebCrypto takes a private key without strings in between. Whoever
 * asks for it wipes it.
 */

export type Rfc8410Curve = Exclude<KemCurve | SignatureCurve, NistCurve>

/** RFC 8410 §7: what precedes the key. */
const rfc8410Headers: Readonly<Record<Rfc8410Curve, Bytes>> = {
  X25519: fromHex('302e020100300506032b656e04220420'),
  X448: fromHex('3046020100300506032b656f043a0438'),
  Ed25519: fromHex('302e020100300506032b657004220420'),
  Ed448: fromHex('3047020100300506032b6571043b0439'),
}

export function rfc8410Pkcs8(curve: Rfc8410Curve, privateKey: Secret): Bytes {
  return concatBytes(rfc8410Headers[curve], privateKey.expose())
}

/** RFC 5915 inside of RFC 5958: what precedes the scalar, and what stands between it and its point. */
const nistHeaders: Readonly<Record<NistCurve, readonly [Bytes, Bytes]>> = {
  'P-256': [
    fromHex('308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420'),
    fromHex('a144034200'),
  ],
  'P-384': [
    fromHex('3081b6020100301006072a8648ce3d020106052b8104002204819e30819b0201010430'),
    fromHex('a164036200'),
  ],
  'P-521': [
    fromHex('3081ee020100301006072a8648ce3d020106052b810400230481d63081d30201010442'),
    fromHex('a1818903818600'),
  ],
}

/** With the public half, without which some browsers import no such key. */
export function nistPkcs8(curve: NistCurve, privateKey: Secret, publicKey: Uint8Array): Bytes {
  const [beforeScalar, beforePoint] = nistHeaders[curve]
  return concatBytes(beforeScalar, privateKey.expose(), beforePoint, publicKey)
}
