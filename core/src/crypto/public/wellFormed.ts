import { curveSizes, isNist, type NistCurve, type SignatureCurve } from './cipherSuite.ts'
import { nistCurves } from './nistCurves.ts'
import type { SignedBytes } from './publicSuite.ts'
import { isProperEdwardsPoint } from './smallOrder.ts'

/**
 * Whether key and signature have the only form in which every platform takes them. Refused are wrong
 * lengths, points in another encoding or of small order, compressed points, and ECDSA signatures
 * that are BER but not DER (RFC 9420 §5.1.2).
 */
export function isWellFormed(
  curve: SignatureCurve,
  { publicKey, signature }: SignedBytes,
): boolean {
  const { publicKey: size } = curveSizes[curve]
  if (publicKey.length !== size) return false
  if (isNist(curve)) return publicKey[0] === 4 && isDerSignature(curve, signature)
  return (
    signature.length === 2 * size &&
    isProperEdwardsPoint(curve, publicKey) &&
    isProperEdwardsPoint(curve, signature.subarray(0, size))
  )
}

function isDerSignature(curve: NistCurve, signature: Uint8Array): boolean {
  try {
    nistCurves[curve].Signature.fromBytes(signature, 'der')
    return true
  } catch {
    return false
  }
}
