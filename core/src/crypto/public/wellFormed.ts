import { curveSizes, type NistCurve, type SignatureCurve } from './cipherSuite.ts'
import { nistCurves } from './nistCurves.ts'
import { isProperEdwardsPoint } from './smallOrder.ts'

/**
 * The signature as every platform takes it: as it stands for Ed25519 and Ed448, r ‖ s for ECDSA,
 * whose signatures MLS carries in DER (RFC 9420 §5.1.2). Undefined where key or signature has a form
 * that platforms could disagree about: wrong lengths, other than the one encoding of a point, points
 * of small order, compressed points, BER.
 */
export function wellFormed(
  curve: SignatureCurve,
  publicKey: Uint8Array,
  signature: Uint8Array,
): Uint8Array | undefined {
  const { publicKey: size } = curveSizes[curve]
  if (publicKey.length !== size) return undefined
  if (curve === 'Ed25519' || curve === 'Ed448') {
    const proper =
      signature.length === 2 * size &&
      isProperEdwardsPoint(curve, publicKey) &&
      isProperEdwardsPoint(curve, signature.subarray(0, size))
    return proper ? signature : undefined
  }
  return publicKey[0] === 4 ? compactSignature(curve, signature) : undefined
}

function compactSignature(curve: NistCurve, der: Uint8Array): Uint8Array | undefined {
  try {
    return nistCurves[curve].Signature.fromBytes(der, 'der').toBytes('compact')
  } catch {
    return undefined
  }
}
