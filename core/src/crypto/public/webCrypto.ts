import { type Bytes, plainBytes } from '../../codec/bytes.ts'
import { assemblePublicCrypto, type PublicPlatform } from './assemble.ts'
import { ecdsaHash, type SignatureCurve } from './cipherSuite.ts'
import { nistCurves } from './nistCurves.ts'
import { nobleHash, noblePublicPlatform } from './noble.ts'
import { nobleWhereLacking } from './nobleWhereLacking.ts'
import type { PublicCrypto } from './publicSuite.ts'

/**
 * Signatures by the platform's WebCrypto, which browsers and Node both have; by noble where it has
 * not (Ed448 everywhere, Ed25519 and P-521 in some browsers). Hashes by noble, because WebCrypto's
 * are asynchronous and slower for short input.
 */
export function webPublicCrypto(subtle: SubtleCrypto): PublicCrypto {
  return assemblePublicCrypto(webPublicPlatform(subtle))
}

export function webPublicPlatform(subtle: SubtleCrypto): PublicPlatform {
  return {
    hash: nobleHash,
    verify: (curve, signed) => {
      const { publicKey, message, signature } = signed
      return nobleWhereLacking(
        curve !== 'Ed448' &&
          (async () => {
            const { key: algorithm, use } = webSignature(curve)
            const key = await subtle.importKey('raw', plainBytes(publicKey), algorithm, false, [
              'verify',
            ])
            return subtle.verify(use, key, webForm(curve, signature), plainBytes(message))
          }),
        () => noblePublicPlatform.verify(curve, signed),
      )
    },
  }
}

/** WebCrypto takes r ‖ s where MLS carries DER (RFC 9420 §5.1.2). */
function webForm(curve: Exclude<SignatureCurve, 'Ed448'>, signature: Uint8Array): Bytes {
  if (curve === 'Ed25519') return plainBytes(signature)
  return plainBytes(nistCurves[curve].Signature.fromBytes(signature, 'der').toBytes('compact'))
}

/** WebCrypto's parameters for a curve's keys and for signing and verifying with them. */
export function webSignature(curve: Exclude<SignatureCurve, 'Ed448'>): {
  key: EcKeyImportParams | Algorithm
  use: EcdsaParams | Algorithm
} {
  if (curve === 'Ed25519') return { key: { name: curve }, use: { name: curve } }
  return {
    key: { name: 'ECDSA', namedCurve: curve },
    use: { name: 'ECDSA', hash: ecdsaHash[curve] },
  }
}
