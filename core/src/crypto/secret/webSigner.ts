import { type Bytes, plainBytes } from '../../codec/bytes.ts'
import type { SignatureCurve } from '../public/cipherSuite.ts'
import { nistCurves } from '../public/nistCurves.ts'
import { webSignature } from '../public/webCrypto.ts'
import type { Signer } from './sign.ts'

/**
 * A signer over a CryptoKey for Ed25519 or ECDSA, which may be non-extractable. `publicKey` is the
 * raw Ed25519 key or the uncompressed point.
 */
export function webSigner(subtle: SubtleCrypto, privateKey: CryptoKey, publicKey: Bytes): Signer {
  const curve = curveOf(privateKey)
  const { use } = webSignature(curve)
  return {
    publicKey,
    sign: async (message) => {
      const signature = new Uint8Array(await subtle.sign(use, privateKey, message))
      if (curve === 'Ed25519') return signature
      // WebCrypto gives r ‖ s, MLS carries DER (RFC 9420 §5.1.2).
      return plainBytes(nistCurves[curve].Signature.fromBytes(signature).toBytes('der'))
    },
  }
}

function curveOf({ algorithm }: CryptoKey): Exclude<SignatureCurve, 'Ed448'> {
  const curve = 'namedCurve' in algorithm ? algorithm.namedCurve : algorithm.name
  if (curve === 'Ed25519' || curve === 'P-256' || curve === 'P-384' || curve === 'P-521') {
    return curve
  }
  throw new TypeError(`a CryptoKey for ${curve} signs in no cipher suite`)
}
