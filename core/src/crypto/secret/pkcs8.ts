import { type Bytes, concatBytes, emptyBytes, fromHex } from '../../codec/bytes.ts'
import { isNist, type KemCurve, type SignatureCurve } from '../public/cipherSuite.ts'
import { nistCurves } from '../public/nistCurves.ts'
import type { Secret } from './secret.ts'

/**
 * What stands around the key in a PrivateKeyInfo: before it (RFC 8410 §7; RFC 5915 inside of RFC
 * 5958), and on NIST curves between it and its public half.
 */
const templates: Readonly<Record<KemCurve | SignatureCurve, readonly [Bytes, Bytes]>> = {
  X25519: [fromHex('302e020100300506032b656e04220420'), emptyBytes],
  X448: [fromHex('3046020100300506032b656f043a0438'), emptyBytes],
  Ed25519: [fromHex('302e020100300506032b657004220420'), emptyBytes],
  Ed448: [fromHex('3047020100300506032b6571043b0439'), emptyBytes],
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

/**
 * A private key as PKCS#8, the one form in which WebCrypto takes one without strings in between. The
 * caller wipes it.
 */
export function pkcs8(curve: KemCurve | SignatureCurve, privateKey: Secret): Bytes {
  const key = privateKey.expose()
  const [before, between] = templates[curve]
  if (isNist(curve)) {
    return concatBytes(before, key, between, nistCurves[curve].getPublicKey(key, false))
  }
  return concatBytes(before, key)
}
